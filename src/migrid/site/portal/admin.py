"""The administrators' page: users, and requests for accounts. For everybody else it does not exist."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Set
from datetime import date, timedelta
from typing import NamedTuple

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ..errors import EntriesError
from ..logins import second_factor
from ..signup import deciding
from ..signup.deciding import DecisionError
from ..signup.requests import Request, Requests
from ..store import User, UserStore, today
from .account import RefusedError, change
from .confirmation import confirmed, is_confirmed
from .context import portal, visitor

routes = Blueprint("admin", __name__)

MOST_SHOWN = 50
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

    @property
    def ends_soon(self) -> bool:
        return self.state == "present" and self.user.expire is not None and self.user.expire <= today() + SOON


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
    return _done("suspended", user)


@routes.post("/reactivateuser.py")
@confirmed
def reactivate() -> ResponseReturnValue:
    """Let a suspended user in again."""
    user = _user()
    change(portal().site, user, state="present")
    return _done("reactivated", user)


@routes.post("/extenduser.py")
@confirmed
def extend() -> ResponseReturnValue:
    """Another day on which the access of a user ends; an empty one is none."""
    user = _user()
    change(portal().site, user, expire=_day())
    return _done("extended", user)


@routes.post("/resettwofactor.py")
@confirmed
def reset_second_factor() -> ResponseReturnValue:
    """Help somebody who lost the phone."""
    user = _user()
    second_factor.remove(portal().site, user.client_id)
    return _done("factor_reset", user)


@routes.post("/acceptuser.py")
@confirmed
def accept() -> ResponseReturnValue:
    """Make a user of who asks."""
    wanted, day = _request(), _day()
    deciding.accept(portal().site, wanted, date.fromisoformat(day) if day else None)
    return _done("accepted", wanted)


@routes.post("/rejectuser.py")
@confirmed
def reject() -> ResponseReturnValue:
    """Forget a request."""
    wanted = _request()
    deciding.reject(portal().site, wanted, request.form.get("reason", ""))
    return _done("rejected", wanted)


def _page(problem: str = "") -> str:
    site, user, day = portal().site, visitor().user, today()
    with UserStore(site.user_db_path, read_only=True) as store:
        factors = store.with_second_factor()
        chosen = store.select([request.values.get("user", "")]).values()
        rows = sorted(_found(_row(user, factors, day) for user in store.users()), key=lambda row: row.user.alias)
    asked = [
        Asked(wanted, deciding.is_taken(site, wanted), deciding.expiry(site, wanted.method))
        for wanted in Requests(site).all()
    ]
    act = request.args.get("done", "")
    return render_template(
        "migadmin.html",
        problem=problem,
        done=SENTENCES[act].format(request.args.get("who", "")) if act in SENTENCES else "",
        confirmed=is_confirmed(),
        has_factor=user.client_id in factors,
        chosen=next((_row(user, factors, day) for user in chosen), None),
        rows=rows[:MOST_SHOWN],
        there_are_more=len(rows) > MOST_SHOWN,
        asked=asked,
        states=STATES,
        search=request.args.get("search", ""),
        state=request.args.get("state", ""),
    )


def _found(rows: Iterable[Row]) -> Iterator[Row]:
    """The users that the search is about."""
    words, state = request.args.get("search", "").casefold().split(), request.args.get("state", "")
    for row in rows:
        text = f"{row.user.client_id} {row.user.alias} {row.user.comment}".casefold()
        if all(word in text for word in words) and state in ("", row.state, "soon" if row.ends_soon else None):
            yield row


def _row(user: User, with_factor: Set[str], day: date) -> Row:
    return Row(user, user.state(day), user.client_id in with_factor)


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


def _done(act: str, about: User | Request) -> Response:
    """The page, which says what was done with whom."""
    user = about.client_id if isinstance(about, User) else None
    return redirect(url_for("admin.users", done=act, who=about.name.full_name, user=user), 303)
