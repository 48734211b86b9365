"""The pages of people who are no users yet, as a WSGI application below `/cgi-sid/`."""

from __future__ import annotations

from flask import Flask

from ... import web
from ..configuration import Configuration
from ..errors import MigError
from . import pages
from .context import SignUp
from .requests import Requests

PAGES = "/cgi-sid"
MOST_BYTES = 64 * 1024


def build(site: Configuration) -> Flask:
    """The pages of a site."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.extensions["signup"] = SignUp(site, Requests(site))
    web.furnish(app, web.Frame(site.title, site.support_email, PAGES, style_sheet=site.static_css))
    app.register_error_handler(MigError, web.not_available)
    app.register_blueprint(pages.routes, url_prefix=PAGES)
    return app
