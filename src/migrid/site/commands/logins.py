"""`mig logins`: who has to wait before the next login, and why."""

from __future__ import annotations

import argparse
import time

from ...networks import network_of
from ...table import table
from ..access import as_account
from ..configuration import Configuration, load
from ..logins.audit import escaped
from ..logins.decision import canonical_login
from ..logins.history import Delay, History, path_of

COLUMNS = ("Login", "Address", "Wait", "Failures", "Why")
ANY = "any"


def show_logins(args: argparse.Namespace) -> int:
    """Print who has to wait, or forget the failures of one login or address."""
    site = load(args.conf)
    with as_account(site):
        if args.forget is not None:
            print(_forget(site, args.forget))
        else:
            print(_delays(site))
    return 0


def _delays(site: Configuration) -> str:
    if not path_of(site).exists():
        return "Nobody has to wait."
    with History(path_of(site)) as history:
        delays = history.delays(time.time())
    return table(COLUMNS, map(_row, delays)) if delays else "Nobody has to wait."


def _forget(site: Configuration, text: str) -> str:
    with History(path_of(site)) as history:
        count = history.forget(canonical_login(text), network_of(text))
    return f"{count} {'failure' if count == 1 else 'failures'} of {escaped(text)} forgotten."


def _row(delay: Delay) -> tuple[str, ...]:
    login, address = (escaped(text) if text else ANY for text in (delay.login, delay.address))
    return (login, address, f"{delay.wait:.0f} s", str(delay.failures), delay.why)
