"""The provider as a WSGI application."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from ... import web
from ..errors import MigError
from . import backchannel, discovery, login, logout
from .provider import Provider

MOST_BYTES = 64 * 1024


def build(provider: Provider) -> Flask:
    """The application, below the path of the issuer. In front of it is one proxy that says who asks."""
    settings = provider.settings
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.extensions["openid"] = provider
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    origins = sorted(set().union(*(client.origins for client in provider.clients.values())))
    web.furnish(
        app, web.Frame(settings.title, settings.support_email, settings.base_path, tuple(origins), settings.style_sheet)
    )
    app.register_error_handler(MigError, web.not_available)
    for part in (discovery, login, backchannel, logout):
        app.register_blueprint(part.routes, url_prefix=settings.base_path)
    return app
