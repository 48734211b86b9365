"""What the provider keeps in the browser: a cookie for the session, and one that proves that a form is its own."""

from __future__ import annotations

from flask import request

from ...web import forms
from .provider import Visitor, provider

SESSION_COOKIE = "__Host-openid-session"
FORM_COOKIE = "__Host-openid-form"


def current_visitor() -> Visitor | None:
    """The session of the browser that asks, if it has one that is not over."""
    cookie = request.cookies.get(SESSION_COOKIE)
    return provider().visitor_of(provider().sessions.find(cookie)) if cookie else None


def is_own_form() -> bool:
    """Whether the form that came in was shown to this browser by the provider."""
    return forms.is_own_form(FORM_COOKIE)


def form_token() -> str:
    """The secret that a page of this answer has to hold."""
    return forms.form_token(FORM_COOKIE)
