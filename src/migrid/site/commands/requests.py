"""The commands of `mig` about people who ask for an account."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, date, datetime

from ...table import table
from ..access import as_account
from ..configuration import Configuration, load
from ..errors import MigError
from ..signup import deciding
from ..signup.requests import Request, Requests

COLUMNS = ("Request", "Asked (UTC)", "Full Name", "E-mail", "Proven", "Organization", "Comment")
NEVER = "never"

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Add the commands to those of `mig`."""
    listing = add("requests", list_requests, "list who asks for an account")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")

    accept = add("acceptuser", accept_user, "make a user of somebody who asks for an account")
    accept.add_argument("request", metavar="REQUEST", help="as mig requests lists it")
    accept.add_argument("--expire", metavar="DATE", help=f"no access from this day on, YYYY-MM-DD, or {NEVER}")

    reject = add("rejectuser", reject_user, "forget a request for an account")
    reject.add_argument("request", metavar="REQUEST", help="as mig requests lists it")
    reject.add_argument("--reason", metavar="TEXT", default="", help="for the mail to the person")


def list_requests(args: argparse.Namespace) -> int:
    """`mig requests`."""
    site = load(args.conf)
    with as_account(site):
        found = Requests(site).all()
    if args.json:
        print(json.dumps(list(map(_record, found)), ensure_ascii=False, indent=2))
    else:
        print(table(list(COLUMNS), map(_row, found)) if found else "Nobody asks for an account.")
    return 0


def accept_user(args: argparse.Namespace) -> int:
    """`mig acceptuser`."""
    site = load(args.conf)
    wanted = _request(site, args.request)
    deciding.accept(site, wanted, _expiry(site, wanted, args.expire))
    print(f"User {wanted.name.full_name} was created. Login: {wanted.name.email.lower()}")
    return 0


def reject_user(args: argparse.Namespace) -> int:
    """`mig rejectuser`."""
    site = load(args.conf)
    wanted = _request(site, args.request)
    deciding.reject(site, wanted, args.reason)
    print(f"The request of {wanted.name.full_name} is gone.")
    return 0


def _request(site: Configuration, identifier: str) -> Request:
    with as_account(site):
        found = Requests(site).get(identifier)
    if found is None:
        raise MigError(f"there is no request {identifier}; mig requests lists them")
    return found


def _expiry(site: Configuration, wanted: Request, text: str | None) -> date | None:
    if text is None:
        return deciding.expiry(site, wanted.method)
    try:
        return None if text == NEVER else date.fromisoformat(text)
    except ValueError:
        raise MigError(f"{text!r} is not a date; write YYYY-MM-DD, or {NEVER}") from None


def _row(wanted: Request) -> tuple[str, ...]:
    name, proven = wanted.name, "yes" if wanted.email_is_proven else "no"
    return wanted.identifier, _moment(wanted), name.full_name, name.email, proven, name.organization, wanted.comment


def _record(wanted: Request) -> dict[str, object]:
    return {
        "request": wanted.identifier,
        "client_id": wanted.client_id,
        "method": wanted.method,
        "email_is_proven": wanted.email_is_proven,
        "comment": wanted.comment,
        "created": datetime.fromtimestamp(wanted.created, UTC).isoformat(timespec="seconds"),
    }


def _moment(wanted: Request) -> str:
    return f"{datetime.fromtimestamp(wanted.created, UTC):%Y-%m-%d %H:%M}"
