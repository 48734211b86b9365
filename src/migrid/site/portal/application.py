"""The portal as a WSGI application."""

from __future__ import annotations

from flask import Blueprint, Flask

from ... import web
from ...web import Frame
from ..configuration import Configuration
from ..errors import MigError
from ..logins import Logins
from . import admin, confirmation, dashboard, files, settings, transfer, trash
from .context import Portal
from .shortcut import Shortcut
from .visitor import Desk

PAGES = "/wsgi-bin"


def build(site: Configuration) -> Flask:
    """The pages of a site."""
    app = Flask(__name__, static_folder=None)
    logins = Logins(site)
    portal = Portal(site, logins, Desk(site, logins))
    app.extensions["portal"] = portal
    app.wsgi_app = Shortcut(portal, app.wsgi_app, f"{PAGES}/cat.py")  # type: ignore[method-assign]
    web.furnish(app, Frame(site.title, site.support_email, PAGES, style_sheet=site.static_css, scripted=True))
    app.register_error_handler(MigError, web.not_available)
    portal.guard(app)
    app.register_blueprint(Blueprint("portal", __name__, static_folder="static"), url_prefix=f"{PAGES}/portal")
    for part in (dashboard, files, transfer, trash, confirmation, settings, admin):
        app.register_blueprint(part.routes, url_prefix=PAGES)
    return app
