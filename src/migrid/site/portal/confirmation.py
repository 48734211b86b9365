"""What opens an account for somebody else, such as a new key, is only changed by who has just proven to be the user.

A login of the last minutes is such a proof. Later on the page asks for the password once more, and for the code of a
second factor; then it does not ask again for a while. Who has no password has proven enough by the certificate or the
provider that stands behind each page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import wraps

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from ...web.forms import set_cookie
from ..logins import Attempt, Method, Outcome, Reason, Service
from .account import RefusedError, has_web_password
from .context import portal, visitor

routes = Blueprint("confirmation", __name__)

COOKIE = "__Host-migrid-confirmed"
SECONDS = 600
PAGES = ("settings.settings", "admin.users")

View = Callable[[], ResponseReturnValue]


def is_confirmed() -> bool:
    """Whether it is certain enough that the user, and nobody at an open browser, sits there."""
    found = visitor()
    if not has_web_password(portal().site, found.user):
        return True
    if found.method is Method.MIGOIDC and _logged_in_at() > time.time() - SECONDS:
        return True
    return portal().desk.is_confirmed(found, request.cookies.get(COOKIE, ""))


def confirmed(view: View) -> View:
    """Let a form of a page count only then. Raises RefusedError."""

    @wraps(view)
    def guarded() -> ResponseReturnValue:
        if not is_confirmed():
            raise RefusedError("Nothing was changed. Confirm first that it is you.", 403)
        return view()

    return guarded


@routes.post("/confirm.py")
def confirm() -> ResponseReturnValue:
    """Take the password, and lead back to the page. What is wrong is told on the settings."""
    check_password()
    page = request.form.get("page", "")
    response = redirect(url_for(page if page in PAGES else PAGES[0]), 303)
    cookie = portal().desk.confirmation(visitor(), int(time.time()) + SECONDS)
    set_cookie(response, COOKIE, cookie, SECONDS, "Strict")
    return response


def check_password() -> None:
    """Check the present password, and the code, that the form has. Every attempt is decided, delayed and logged as a
    login is. Raises RefusedError."""
    user = visitor().user
    attempt = Attempt(Service.WEB, Method.PASSWORD, user.client_id, request.remote_addr or "")
    code = "".join(request.form.get("code", "").split())
    outcome = portal().logins.by_password(attempt, request.form.get("present_password", ""), code)
    if not outcome.granted:
        raise RefusedError(_problem(outcome), 403)


def _problem(outcome: Outcome) -> str:
    if outcome.reason is Reason.TOO_EARLY:
        return f"There were too many wrong passwords. Try again in {math.ceil(outcome.retry_after)} seconds."
    if outcome.reason is Reason.CODE_MISSING:
        return "Enter the code of your authenticator app too."
    if outcome.reason is Reason.CODE_WRONG:
        return "The code is wrong or was used already. Wait for the next one."
    return "The present password is wrong."


def _logged_in_at() -> int:
    """When the provider saw the login (OpenID Connect Core 1.0, section 2: auth_time)."""
    claim = str(request.environ.get("OIDC_CLAIM_auth_time", ""))
    return int(claim) if claim.isascii() and claim.isdigit() else 0
