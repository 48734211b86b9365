"""Who is there: sessions in a signed cookie, forms that only this page can have made, and the way to the login.

The cookie has a name of its own for each application, since all applications of a grid may share one host name
(RFC 6265, section 8.5: cookies are not apart by port).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug import Response
from werkzeug.exceptions import HTTPException

from ...web import forms

IDLE = timedelta(minutes=30)
LONGEST = 12 * 3600.0
KNOWN = 90 * 86400
FILES = ("web.static", "page.static")
LOGIN = "login.login"
OPEN = (LOGIN, "login.log_in", "enter.enter")
HOME = "choose.home"
_TOKEN_BYTES = 24


class Ended:
    """The sessions that were ended before their time: a copy of their cookie opens nothing."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}
        self._changing = threading.Lock()

    def add(self, name: str) -> None:
        with self._changing:
            now = time.time()
            self._ended = {each: until for each, until in self._ended.items() if until > now} | {name: now + LONGEST}

    def __contains__(self, name: str) -> bool:
        return name in self._ended


def configure(app: Flask, key: bytes) -> None:
    """Let sessions be cookies that only this host gets back, over TLS, and no script sees (prefix __Host-)."""
    name = f"__Host-migctl-{hashlib.sha256(key).hexdigest()[:8]}"
    app.secret_key = key
    app.config.update(
        SESSION_COOKIE_NAME=name,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=IDLE,
    )


def guard(app: Flask, asks_for_login: bool, ended: Ended, turn_away: Callable[[], Response]) -> None:
    """Let only who has logged in to the pages, and only forms of this page change something. Others get the answer of
    `turn_away`."""

    @app.before_request
    def receive() -> Response | None:
        if request.endpoint in FILES:
            return None
        if not _is_valid(ended):
            begin("")
        g.logged_in = bool(session["user"])
        if request.endpoint in OPEN:
            return None
        if asks_for_login and not g.logged_in:
            return turn_away()
        if request.method == "POST" and not is_own_form():
            abort(400, "This form was not made by this page, or is too old. Nothing was changed. Open the page again.")
        return None

    app.context_processor(
        lambda: {
            "form_field": forms.FORM_FIELD,
            "form_token": session.get("form", ""),
            "logged_in": g.get("logged_in", False),
        }
    )


def begin(user: str) -> None:
    """Begin a session; whatever the browser brought is forgotten."""
    session.clear()
    session.permanent = True
    session["id"], session["form"] = secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_urlsafe(_TOKEN_BYTES)
    session["user"], session["since"] = user, time.time()


def visitor() -> str:
    """The name of the session."""
    return str(session["id"])


def is_own_form() -> bool:
    """Whether the form that came in was made for this session."""
    sent = request.form.get(forms.FORM_FIELD, "").encode("utf-8", "surrogatepass")
    return hmac.compare_digest(str(session.get("form", "")).encode(), sent) and bool(sent)


def to_login() -> Response:
    """Answer with the login, which leads back to the page that was wanted. Its forms have the page's own address."""
    return redirect(url_for(LOGIN, wanted=own_page(request.path)), 303)


def own_page(path: str) -> str:
    """The path, if one of our pages is there, and else that of the first page: a login leads nowhere else."""
    try:
        endpoint, values = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return url_for(HOME)
    return url_for(HOME) if endpoint in (*FILES, LOGIN) else url_for(endpoint, **values)


def known_browser() -> str:
    """The name of a browser that has logged in before; empty for all others."""
    try:
        return str(_known().loads(request.cookies.get(_known_cookie(), ""), max_age=KNOWN))
    except BadData:
        return ""


def remember_browser(response: Response) -> None:
    """Know the browser again when it logs in the next time."""
    mark = _known().dumps(known_browser() or secrets.token_urlsafe(_TOKEN_BYTES))
    forms.set_cookie(response, _known_cookie(), str(mark), KNOWN)


def _is_valid(ended: Ended) -> bool:
    since = session.get("since")
    return isinstance(since, float) and time.time() - since < LONGEST and visitor() not in ended


def _known() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or b"", salt="known browser")


def _known_cookie() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-known"
