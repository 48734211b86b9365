"""The administrators' page: users, and requests for accounts. For everybody else it does not exist."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import NamedTuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ..accounts import today
from ..errors import EntriesError
from ..logins import second_factor
from ..signup import deciding
from ..signup.deciding import DecisionError
from ..signup.requests import Request, Requests
from ..store import User, UserStore
from .account import RefusedError, change, has_web_password
from .confirmation import confirmed, is_confirmed
from .context import portal, visitor

routes = Blueprint("admin", __name__)

MOST_SHOWN = 100
SOON = timedelta(days=30)
STATES = {
    "": "all",
    "present": "present",
    "suspended": "suspended",
    "expired": "expired",
    "soon": "ends within 30 days",
}
SENTENCES = {
    "suspended": "{} cannot log in any more.",
    "reactivated": "{} can log in again.",
    "extended": "The access of {} ends on another day.",
    "factor_reset": "{} needs no code any more.",
    "accepted": "{} is a user now.",
    "rejected": "The request of {} is gone.",
}

log = logging.getLogger(__name__)


class Row(NamedTuple):
    """A user as the page shows it."""

    user: User
    state: str
    has_factor: bool


class Asked(NamedTuple):
    """A request as the page shows it."""

    request: Request
    is_taken: bool
    expire: date


def is_administrator() -> bool:
    """Whether the visitor is one."""
    site = portal().site
    return site.enable_migadmin and visitor().user.client_id in site.admin_list


@routes.record_once
def add_test(state: object) -> None:
    """Let templates know who is an administrator."""
    state.app.jinja_env.globals["is_administrator"] = is_administrator  # type: ignore[attr-defined]


@routes.before_request
def only_administrators() -> None:
    """The page is there for them only."""
    if not is_administrator():
        abort(404)


@routes.errorhandler(RefusedError)
def refused(error: RefusedError) -> ResponseReturnValue:
    """Show the page again, with what was wrong."""
    return _page(problem=str(error)), error.status


@routes.errorhandler(DecisionError)
@routes.errorhandler(EntriesError)
def not_possible(error: DecisionError | EntriesError) -> ResponseReturnValue:
    """What the user store does not take."""
    return _page(problem=f"Nothing was changed: {error}"), 409


@routes.get("/migadmin.py")
def users() -> ResponseReturnValue:
    """The page."""
    return _page()


@routes.post("/suspenduser.py")
@confirmed
def suspend() -> ResponseReturnValue:
    """Let a user in no more."""
    user = _user()
    if user.client_id == visitor().user.client_id:
        raise RefusedError("You cannot suspend yourself.")
    change(portal().site, user, state="suspended")
    return _done("suspended", user.name.full_name)


@routes.post("/reactivateuser.py")
@confirmed
def reactivate() -> ResponseReturnValue:
    """Let a suspended user in again."""
    user = _user()
    change(portal().site, user, state="present")
    return _done("reactivated", user.name.full_name)


@routes.post("/extenduser.py")
@confirmed
def extend() -> ResponseReturnValue:
    """Another day on which the access of a user ends; an empty one is none."""
    user = _user()
    change(portal().site, user, expire=_day())
    return _done("extended", user.name.full_name)


@routes.post("/resettwofactor.py")
@confirmed
def reset_second_factor() -> ResponseReturnValue:
    """Help somebody who lost the phone."""
    user = _user()
    second_factor.remove(portal().site, user.client_id)
    return _done("factor_reset", user.name.full_name)


@routes.post("/acceptuser.py")
@confirmed
def accept() -> ResponseReturnValue:
    """Make a user of who asks."""
    wanted, day = _request(), _day()
    deciding.accept(portal().site, wanted, date.fromisoformat(day) if day else None)
    return _done("accepted", wanted.name.full_name)


@routes.post("/rejectuser.py")
@confirmed
def reject() -> ResponseReturnValue:
    """Forget a request."""
    wanted = _request()
    deciding.reject(portal().site, wanted, request.form.get("reason", ""))
    return _done("rejected", wanted.name.full_name)


def _page(problem: str = "") -> str:
    site = portal().site
    found = list(islice(_chosen(), MOST_SHOWN + 1))
    asked = [
        Asked(wanted, deciding.is_taken(site, wanted), deciding.expiry(site, wanted.method))
        for wanted in Requests(site).all()
    ]
    who, act = request.args.get("who", ""), request.args.get("done", "")
    user = visitor().user
    return render_template(
        "migadmin.html",
        problem=problem,
        done=SENTENCES[act].format(who) if act in SENTENCES else "",
        confirmed=is_confirmed(),
        has_factor=has_web_password(user) and second_factor.is_in_use(site, user.client_id),
        rows=found[:MOST_SHOWN],
        there_are_more=len(found) > MOST_SHOWN,
        asked=asked,
        states=STATES,
        search=request.values.get("search", ""),
        state=request.values.get("state", ""),
    )


def _chosen() -> Iterator[Row]:
    words, state = request.values.get("search", "").casefold().split(), request.values.get("state", "")
    day = today()
    with UserStore(portal().site.user_db_path, read_only=True) as store:
        with_factor = store.with_second_factor()
        for user in store.users():
            text = f"{user.client_id} {user.alias} {user.comment}".casefold()
            row = Row(user, _state(user, day), user.client_id in with_factor)
            is_soon = row.state == "present" and user.expire is not None and user.expire <= day + SOON
            if all(word in text for word in words) and (state in ("", row.state) or (state == "soon" and is_soon)):
                yield row


def _state(user: User, day: date) -> str:
    if user.suspended:
        return "suspended"
    return "expired" if user.is_expired(day) else "present"


def _user() -> User:
    with UserStore(portal().site.user_db_path, read_only=True) as store:
        found = store.select([request.form.get("user", "")])
    for user in found.values():
        log.warning("%s: %s %s", visitor().user.client_id, request.endpoint, user.client_id)
        return user
    raise RefusedError("There is no such user any more.", 404)


def _request() -> Request:
    found = Requests(portal().site).get(request.form.get("request", ""))
    if found is None:
        raise RefusedError("Somebody has decided about this request already.", 404)
    log.warning("%s: %s %s", visitor().user.client_id, request.endpoint, found.client_id)
    return found


def _day() -> str:
    text = request.form.get("expire", "").strip()
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise RefusedError("Write the day as YYYY-MM-DD, or nothing for access without end.") from None


def _done(act: str, who: str) -> Response:
    """The page with the same search, which says what was done."""
    kept = {name: request.form.get(name) or None for name in ("search", "state")}
    return redirect(url_for("admin.users", done=act, who=who, **kept), 303)  # type: ignore[arg-type]
