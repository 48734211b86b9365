"""Logging out (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from ...web.forms import remove_cookie, set_cookie
from .browser import (
    FORM_COOKIE,
    SESSION_COOKIE,
    current_visitor,
    form_token,
    is_own_form,
)
from .provider import provider
from .request import with_query

ASKED = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint")

routes = Blueprint("logout", __name__)


@dataclass(frozen=True)
class Asked:
    """What the client asks: who has logged in as which session, and where to go afterwards; '' where not known."""

    sid: str
    next_url: str


class UnknownReturnError(Exception):
    """The address to go to afterwards is not one of the client's."""


@routes.get("/logout")
def ask() -> Response:
    """Log out at once if a client proves that it knows the session; ask the user otherwise."""
    try:
        asked = _read()
    except UnknownReturnError as error:
        return make_response(render_template("unknown_client.html", what=str(error)), 400)
    visitor = current_visitor()
    if visitor is None or visitor.session.sid == asked.sid:
        return _logged_out(asked)
    token = form_token()
    query = urlencode(list(request.args.items(multi=True)))
    response = make_response(render_template("logout.html", user=visitor.user, query=query, form_token=token))
    set_cookie(response, FORM_COOKIE, token)
    return response


@routes.post("/logout")
def confirm() -> Response:
    """The user's own yes; a form of a client is asked again with GET, so that cookies come along."""
    if not is_own_form():
        given = {name: request.values[name] for name in ASKED if name in request.values}
        return redirect(f"{url_for('logout.ask')}?{urlencode(given)}", 303)
    try:
        return _logged_out(_read())
    except UnknownReturnError as error:
        return make_response(render_template("unknown_client.html", what=str(error)), 400)


def _read() -> Asked:
    """Raises UnknownReturnError."""
    hint = request.args.get("id_token_hint", "")
    claims = provider().keys.verify(hint) or {}
    client = provider().clients.get(str(claims.get("aud") or request.args.get("client_id", "")))
    wanted = request.args.get("post_logout_redirect_uri", "")
    if wanted and (client is None or wanted not in client.post_logout_redirect_uris):
        raise UnknownReturnError("the address to return to is not one of the site's")
    state = request.args.get("state", "")
    next_url = with_query(wanted, {"state": state} if state else {}) if wanted else ""
    return Asked(str(claims.get("sid", "")), next_url)


def _logged_out(asked: Asked) -> Response:
    """End the session of this browser, if there is one, and go where the client wants."""
    visitor = current_visitor()
    if visitor:
        provider().sessions.end(visitor.session.sid)
    page = render_template("logged_out.html")
    response = redirect(asked.next_url, 303) if asked.next_url else make_response(page)
    for name in (SESSION_COOKIE, FORM_COOKIE):
        remove_cookie(response, name)
    return response
