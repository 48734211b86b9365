"""What the provider keeps in the browser: a cookie for the session, and one that proves that a form is its own."""

from __future__ import annotations

import hmac

from flask import request
from werkzeug import Response

from .provider import Visitor, provider
from .store import new_secret

SESSION_COOKIE = "__Host-openid-session"
FORM_COOKIE = "__Host-openid-form"
FORM_FIELD = "form_token"


def current_visitor() -> Visitor | None:
    """The session of the browser that asks, if it has one that is not over."""
    cookie = request.cookies.get(SESSION_COOKIE)
    return provider().visitor_of(provider().sessions.find(cookie)) if cookie else None


def is_own_form() -> bool:
    """Whether the form that came in was shown to this browser by the provider."""
    cookie, token = request.cookies.get(FORM_COOKIE, ""), request.form.get(FORM_FIELD, "")
    return bool(cookie) and hmac.compare_digest(_bytes(cookie), _bytes(token))


def form_token() -> str:
    """The secret that a page of this answer has to hold."""
    return request.cookies.get(FORM_COOKIE) or new_secret()


def set_cookie(response: Response, name: str, value: str) -> None:
    """Only the provider's host gets it back, over TLS, and no script sees it (RFC 6265bis, prefix __Host-)."""
    response.set_cookie(name, value, secure=True, httponly=True, samesite="Lax")


def remove_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, secure=True, httponly=True, samesite="Lax")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
