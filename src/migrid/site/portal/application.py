"""The portal as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Blueprint, Flask, Response

from .. import web
from ..configuration import Configuration
from ..logins import Logins
from ..web import Site
from . import confirmation, dashboard, files, settings, transfer, trash
from .context import Portal
from .visitor import Desk

PAGES = "/wsgi-bin"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


def build(site: Configuration) -> Flask:
    """The pages of a site."""
    app = Flask(__name__, static_folder=None)
    logins = Logins(site)
    portal = Portal(site, logins, Desk(site, logins))
    app.extensions["portal"] = portal
    app.wsgi_app = _whole_path(app.wsgi_app)  # type: ignore[assignment,method-assign]
    web.furnish(app, Site(site.title, site.support_email, PAGES))
    portal.guard(app)
    app.register_blueprint(Blueprint("portal", __name__, static_folder="static"), url_prefix=f"{PAGES}/portal")
    for part in (dashboard, files, transfer, trash, confirmation, settings):
        app.register_blueprint(part.routes, url_prefix=PAGES)

    @app.after_request
    def allow_our_scripts(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return app


def _whole_path(app: Application) -> Application:
    """Apache gives the path of the application and the rest of it apart; routes name the whole path."""

    def whole(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return app({**environ, "SCRIPT_NAME": "", "PATH_INFO": path}, start_response)

    return whole
