"""The commands of `mig` that send mail, which systemd runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .. import expiry
from ..access import as_account
from ..configuration import load
from ..mail import deliver
from ..store import today

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Add the commands to those of `mig`."""
    add("sendmail", send_mail, "send the mail that waits")
    days = ", ".join(map(str, expiry.DAYS_BEFORE))
    add("notifyexpire", notify_expire, f"tell users by mail whose access ends in {days} days; to run once a day")


def send_mail(args: argparse.Namespace) -> int:
    """`mig sendmail`."""
    site = load(args.conf)
    with as_account(site):
        waiting = deliver(site)
    if waiting:
        print(f"{waiting} {'message waits' if waiting == 1 else 'messages wait'} in {site.notify_home}.")
    return 1 if waiting else 0


def notify_expire(args: argparse.Namespace) -> int:
    """`mig notifyexpire`."""
    site = load(args.conf)
    with as_account(site):
        told = expiry.notify(site, today())
    print(f"{told} {'user was' if told == 1 else 'users were'} told.")
    return 0
