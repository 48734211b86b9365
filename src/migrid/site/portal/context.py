"""What stands behind every page: the site, the visitor who asks, and the visitor's home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, g, make_response, redirect, render_template, request, url_for
from werkzeug import Response
from werkzeug.exceptions import Forbidden

from ...web.forms import FORM_FIELD, set_cookie
from ..configuration import Configuration
from ..homes import Home, Homes
from ..logins import Logins, Method, Reason, second_factor
from ..proofs import Environ
from .visitor import COOKIE, Desk, StrangerError, Visitor

FORM_HEADER = "X-Form-Token"
OPEN = ("web.static", "portal.static")
SAFE = ("GET", "HEAD", "OPTIONS")
LOG_OUT = "dashboard.log_out"
TO_SET_UP_A_FACTOR = ("settings", "confirmation")
CHECKS_ITS_FORM = ("transfer.put", "transfer.upload")
"""Pages that read what comes in themselves, piece by piece, and check in the end whose form it was."""


@dataclass(frozen=True)
class Portal:
    """The site and who receives its visitors."""

    site: Configuration
    logins: Logins
    desk: Desk

    def guard(self, app: Flask) -> None:
        """Let only visitors to the pages, and only forms of theirs change something."""
        app.before_request(self._receive)
        app.after_request(_remember)
        app.register_error_handler(StrangerError, _stranger)
        app.context_processor(lambda: {"visitor": g.get("visitor"), "form_field": FORM_FIELD})

    def known(self, environ: Environ, cookie: str) -> Visitor | None:
        """A visitor who came before and may have all pages. Raises MigError."""
        found = self.desk.known(environ, cookie)
        return found if found and not self._lacks_second_factor(found) else None

    @contextmanager
    def home_of(self, who: Visitor) -> Iterator[Home]:
        """The home of a visitor. What goes wrong in it raises FileError."""
        with Homes(self.site.user_home) as homes, homes.open(who.user.client_dir) as found:
            yield found

    def _receive(self) -> Response | None:
        if request.endpoint in OPEN:
            return None
        g.visitor = self.desk.receive(request.environ, request.cookies.get(COOKIE, ""))
        if request.method not in SAFE and request.endpoint not in CHECKS_ITS_FORM:
            check_form()
        may_wait = request.endpoint == LOG_OUT or request.blueprint in TO_SET_UP_A_FACTOR
        if not may_wait and self._lacks_second_factor(g.visitor):
            return redirect(url_for("settings.settings"), 303)
        return None

    def _lacks_second_factor(self, found: Visitor) -> bool:
        """Whether the site asks for a second factor that the visitor has not set up yet."""
        is_asked = self.site.twofactor_is_mandatory and found.method is Method.MIGOIDC
        return is_asked and not second_factor.is_in_use(self.site, found.user.client_id)


def portal() -> Portal:
    return cast(Portal, current_app.extensions["portal"])


def visitor() -> Visitor:
    """Who asks for the page."""
    return cast(Visitor, g.visitor)


def check_form() -> None:
    """Refuse what another site made the browser send."""
    token = request.headers.get(FORM_HEADER) or request.form.get(FORM_FIELD, "")
    if not visitor().sent(token):
        raise Forbidden


def home() -> AbstractContextManager[Home]:
    """The visitor's home. What goes wrong in it raises FileError."""
    return portal().home_of(visitor())


def _remember(response: Response) -> Response:
    found = g.get("visitor")
    if found and found.is_new:
        set_cookie(response, COOKIE, found.cookie)
    return response


def _stranger(error: StrangerError) -> Response:
    return make_response(
        render_template("stranger.html", who=error.shown_as, reason=error.reason, ask=_sign_up(error)), 403
    )


def _sign_up(error: StrangerError) -> str:
    """The address at which a stranger can ask for an account; empty: there is none."""
    site = portal().site
    if error.reason is not Reason.UNKNOWN or error.method not in site.signup_methods:
        return ""
    if error.method in (Method.EXTCERT, Method.EXTOIDC):
        return f"/cgi-sid/{error.method}.py"
    return f"{site.migserver_https_sid_url}/cgi-sid/reqcert.py"
