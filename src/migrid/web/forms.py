"""Forms of pages without a login: a cookie and a field that hold the same secret prove that the site made the form."""

from __future__ import annotations

import hmac
import secrets
from typing import Literal

from flask import request
from werkzeug import Response

FORM_FIELD = "form_token"
_SECRET_BYTES = 32


def is_own_form(cookie: str) -> bool:
    """Whether the form that came in was shown to this browser, with this cookie."""
    kept, sent = request.cookies.get(cookie, ""), request.form.get(FORM_FIELD, "")
    return bool(kept) and hmac.compare_digest(_bytes(kept), _bytes(sent))


def form_token(cookie: str) -> str:
    """The secret that a page of this answer has to hold."""
    return request.cookies.get(cookie) or secrets.token_urlsafe(_SECRET_BYTES)


def set_cookie(
    response: Response, name: str, value: str, max_age: int | None = None, same_site: Literal["Lax", "Strict"] = "Lax"
) -> None:
    """Only this host gets it back, over TLS, for so many seconds or until the browser ends, and no script sees it (RFC
    6265bis, prefix __Host-)."""
    response.set_cookie(name, value, max_age=max_age, secure=True, httponly=True, samesite=same_site)


def remove_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, secure=True, httponly=True, samesite="Lax")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
