"""Logging in and out."""

from __future__ import annotations

import hashlib
import hmac
import logging
import math

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...networks import network_of
from . import sessions
from .context import desk

routes = Blueprint("login", __name__)
log = logging.getLogger(__name__)


@routes.get("/login")
def login() -> ResponseReturnValue:
    if session["user"] or not desk().asks_for_login:
        return redirect(_wanted(), 303)
    return _page("", 200)


@routes.post("/login")
def log_in() -> ResponseReturnValue:
    if not sessions.is_own_form():
        return _page("This page was open for too long. Please log in now.", 400)
    known = sessions.known_browser()
    who = f"browser {known}" if known else f"address {network_of(request.remote_addr or '')}"
    wait = math.ceil(desk().attempts.claim(who))
    if wait:
        page = _page(f"There were too many wrong passwords. Try again in {wait} seconds.", 429)
        page.headers["Retry-After"] = str(wait)
        return page
    if not _is_right(request.form.get("username", ""), request.form.get("password", "")):
        log.warning("login refused for somebody at %s", request.remote_addr)
        return _page("The username or the password is wrong.", 403)
    desk().attempts.forget(who)
    sessions.begin(desk().properties.username)
    answer = redirect(_wanted(), 303)
    sessions.remember_browser(answer)
    return answer


@routes.post("/logout")
def log_out() -> ResponseReturnValue:
    if session["user"]:
        desk().ended.add(sessions.visitor())
    session.clear()
    return redirect(url_for(sessions.LOGIN), 303)


def _page(problem: str, status: int) -> Response:
    return make_response(render_template("login.html", problem=problem, wanted=_wanted()), status)


def _wanted() -> str:
    return sessions.own_page(request.values.get("wanted", ""))


def _is_right(username: str, password: str) -> bool:
    """Takes as long for a wrong username as for a wrong password. Nothing is right where no login is asked for."""
    expected = desk().properties
    return bool(expected.username) & _same(username, expected.username) & _same(password, expected.password)


def _same(given: str, expected: str) -> bool:
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, expected))
    return hmac.compare_digest(*digests)
