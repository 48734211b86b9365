"""What a user sees of a login: the form, the second step, and the way back to the client."""

from __future__ import annotations

import math
from typing import NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug import Response
from werkzeug.datastructures import MultiDict

from ...web.forms import set_cookie
from ..logins import Attempt, Method, Outcome, Reason, Service
from ..store import User
from .browser import (
    FORM_COOKIE,
    SESSION_COOKIE,
    current_visitor,
    form_token,
    is_own_form,
)
from .provider import Visitor, provider
from .request import (
    AuthorizationRequest,
    RefusedError,
    Return,
    UnknownClientError,
    read_request,
    read_return,
)
from .sessions import ONE_TIME_CODE, PASSWORD, Login

ASKS_FOR_LOGIN = ("prompt", "max_age")
WRONG = "The login or the password is wrong, or this account may not log in here."
WRONG_CODE = "The code is wrong or was used already. Wait for the next one."
STALE_FORM = "This page was open for too long, or the browser does not keep cookies. Please try again."
STALE_STEP = "The code came too late. Please log in again."
MISSING = "Enter your login and your password."

routes = Blueprint("login", __name__)


class Page(NamedTuple):
    """One of the two forms: its template, and what it holds besides the form token."""

    template: str
    login: str = ""
    ticket: str = ""
    problem: str = ""
    status: int = 200
    retry_after: int = 0


@routes.route("/authorize", methods=["GET", "POST"])
def authorize() -> Response:
    """OpenID Connect Core 1.0, section 3.1.2. A posted request is asked again with GET, so that cookies come along."""
    if request.method == "POST":
        return _see_other(_authorize_url(request.form))
    try:
        answer = read_return(request.args, provider().clients)
    except UnknownClientError as error:
        return _unknown_client(str(error))
    try:
        return _authorized(read_request(request.args, answer), answer)
    except RefusedError as error:
        return _see_other(answer.url(error=error.error, error_description=error.description))


@routes.get("/login")
def first_step_again() -> Response:
    """The address of the form, typed or reloaded."""
    return _see_other(_authorize_url(request.args))


@routes.post("/login")
def first_step() -> Response:
    """Login and password."""
    login, password = request.form.get("login", "").strip(), request.form.get("password", "")
    if not is_own_form():
        return _shown(Page("login.html", login, problem=STALE_FORM, status=403))
    if not login or not password:
        return _shown(Page("login.html", login, problem=MISSING, status=403))
    outcome = provider().logins.by_password(_attempt(login), password)
    if outcome.user is not None:
        return _logged_in(outcome.user, PASSWORD)
    if outcome.reason is Reason.CODE_MISSING:
        return _shown(Page("code.html", login, provider().second_steps.open(login, password)))
    return _shown(_refused(outcome, Page("login.html", login), WRONG))


@routes.post("/login/code")
def second_step() -> Response:
    """The code of the second factor."""
    ticket = request.form.get("ticket", "")
    first = provider().second_steps.find(ticket)
    if not is_own_form() or first is None:
        return _shown(Page("login.html", problem=STALE_STEP, status=403))
    code = "".join(request.form.get("code", "").split())
    outcome = provider().logins.by_password(_attempt(first.login), first.password, code)
    if outcome.reason in (Reason.CODE_MISSING, Reason.CODE_WRONG, Reason.TOO_EARLY):
        return _shown(_refused(outcome, Page("code.html", first.login, ticket), WRONG_CODE))
    provider().second_steps.close(ticket)
    if outcome.user is None:
        return _shown(_refused(outcome, Page("login.html", first.login), WRONG))
    return _logged_in(outcome.user, PASSWORD, ONE_TIME_CODE)


def _authorized(asked: AuthorizationRequest, answer: Return) -> Response:
    """The way back with a code, or the form first."""
    visitor = current_visitor()
    if visitor and asked.is_met_by(visitor.session.auth_time, provider().clock()):
        return _returned(asked, answer, visitor)
    if "none" in asked.prompt:
        raise RefusedError("login_required", "the user is not logged in")
    return _shown(Page("login.html", request.args.get("login_hint", "")))


def _returned(asked: AuthorizationRequest, answer: Return, visitor: Visitor) -> Response:
    provider().sessions.join(visitor.session, asked.client.client_id)
    return _see_other(answer.url(code=provider().grants.issue_code(asked, visitor.session.sid)))


def _logged_in(user: User, *methods: str) -> Response:
    """Begin a session, or go on with the one of the same user, and answer what the client asked."""
    login = Login(user, methods, request.remote_addr or "", request.headers.get("User-Agent", ""))
    sessions, old = provider().sessions, current_visitor()
    if old and old.user.client_id == user.client_id:
        cookie = sessions.renew(old.session, login)
    else:
        if old:
            sessions.end(old.session.sid)
        cookie = sessions.begin(login)
    done = {name: value for name, value in request.args.items(multi=True) if name not in ASKS_FOR_LOGIN}
    response = _see_other(_authorize_url(MultiDict(done)))
    set_cookie(response, SESSION_COOKIE, cookie)
    return response


def _attempt(login: str) -> Attempt:
    return Attempt(Service.WEB, Method.MIGOIDC, login, request.remote_addr or "")


def _refused(outcome: Outcome, page: Page, problem: str) -> Page:
    """The page with what went wrong, which is the same whether or not there is such an account."""
    seconds = math.ceil(outcome.retry_after)
    wait = f"Try again in {seconds} {'second' if seconds == 1 else 'seconds'}." if seconds > 0 else ""
    if outcome.reason is Reason.TOO_EARLY:
        problem = "There were too many failed logins."
    status = 429 if outcome.reason is Reason.TOO_EARLY else 403
    return page._replace(problem=f"{problem} {wait}".rstrip(), status=status, retry_after=seconds)


def _shown(page: Page) -> Response:
    """The form. Its address carries what the client asked."""
    token = form_token()
    html = render_template(page.template, page=page, query=_query(request.args), form_token=token)
    response = make_response(html, page.status)
    set_cookie(response, FORM_COOKIE, token)
    if page.retry_after:
        response.headers["Retry-After"] = str(page.retry_after)
    return response


def _unknown_client(what: str) -> Response:
    return make_response(render_template("unknown_client.html", what=what), 400)


def _authorize_url(parameters: MultiDict[str, str]) -> str:
    return f"{url_for('login.authorize')}?{_query(parameters)}"


def _query(parameters: MultiDict[str, str]) -> str:
    return urlencode(list(parameters.items(multi=True)))


def _see_other(url: str) -> Response:
    """Go on there with GET. `url` is the provider's own, or registered by a client."""
    return redirect(url, 303)
