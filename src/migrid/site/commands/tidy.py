"""`mig tidy`: remove for good what users deleted long ago, and what broken-off uploads left."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ..access import as_account, opened_store
from ..configuration import Configuration, load
from ..errors import HomeError
from ..homes import Homes

DAYS = 30
MOST_DAYS = 36_500

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_tidy(add: Add) -> None:
    """Add `tidy` to the commands of `mig`."""
    parser = add("tidy", tidy, "empty the trash of all users, and remove what uploads that broke off left")
    help_text = f"only what has been there for so many days; default {DAYS}"
    parser.add_argument("--days", type=_days, default=DAYS, help=help_text)


def tidy(args: argparse.Namespace) -> int:
    """`mig tidy`: a home that cannot be tidied is named, and the others are done nevertheless."""
    site = load(args.conf)
    before = datetime.now(UTC) - timedelta(args.days)
    problems = []
    with as_account(site), Homes(site.user_home) as homes:
        for client_dir in _homes(site):
            try:
                with homes.open(client_dir) as home:
                    home.tidy(before)
            except HomeError as error:
                problems.append(f"mig: {client_dir}: {error}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _homes(site: Configuration) -> list[str]:
    with opened_store(site) as store:
        return [user.client_dir for user in store.users()] if store else []


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; write 1 to {MOST_DAYS}")
    return int(text)
