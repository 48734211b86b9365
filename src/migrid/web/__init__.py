"""What all web pages share: the skeleton of a page, the style sheet, the error pages and the headers.

Pages have no inline script and no inline style, and nothing on them comes from elsewhere. A template begins with
`{% extends 'page.html' %}` and fills the blocks `title` and `main`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, make_response, render_template
from werkzeug.exceptions import HTTPException, default_exceptions

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

log = logging.getLogger(__name__)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SCRIPTS = "script-src 'self'; connect-src 'self'; "
EXPLANATIONS = {
    400: "The site could not understand what the browser sent.",
    403: "This page exists, but not for you.",
    404: "There is no page at this address.",
    405: "This address does not work by itself. Start at the page that you wanted to open.",
    413: "That was more than the site takes at once.",
    503: "This part of the site does not answer right now. Please try again in a few minutes.",
}


@dataclass(frozen=True)
class Frame:
    """What is around every page. `form_targets` are origins that a form may lead to besides the page's own;
    `style_sheet` is the address of one that comes after ours. Pages that are `scripted` may have our scripts."""

    title: str
    support_email: str | None = None
    base_path: str = ""
    form_targets: tuple[str, ...] = ()
    style_sheet: str | None = None
    scripted: bool = False

    @property
    def content_security_policy(self) -> str:
        targets = " ".join(("'self'", *self.form_targets))
        return (
            f"default-src 'none'; {_SCRIPTS if self.scripted else ''}style-src 'self'; img-src 'self'; "
            f"base-uri 'none'; frame-ancestors 'none'; form-action {targets}"
        )


def furnish(app: Flask, frame: Frame) -> None:
    """Give an application the templates, the style sheet, the error pages and the headers."""
    app.wsgi_app = _whole_path(app.wsgi_app)  # type: ignore[assignment,method-assign]
    parts = Blueprint("web", __name__, static_folder="static", template_folder="templates")
    app.register_blueprint(parts, url_prefix=frame.base_path)
    app.jinja_env.globals["frame"] = frame
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_error_handler(HTTPException, _error_page)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", frame.content_security_policy)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def error_page(status: int) -> Response:
    """The page for an HTTP status."""
    name = default_exceptions[status]().name if status in default_exceptions else "Error"
    explanation = EXPLANATIONS.get(status, "Something went wrong here. Please try again in a few minutes.")
    return make_response(render_template("error.html", name=name, explanation=explanation), status)


def not_available(error: Exception) -> Response:
    """The page for what is out of order here, whose reason is for the log."""
    log.error("%s", error)
    return error_page(503)


def _error_page(error: HTTPException) -> Response:
    page = error_page(error.code or 500)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            page.headers[name] = value
    return page


def _whole_path(app: Application) -> Application:
    """Apache gives the path of the application and the rest of it apart; routes name the whole path."""

    def whole(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        return app({**environ, "SCRIPT_NAME": "", "PATH_INFO": path}, start_response)

    return whole
