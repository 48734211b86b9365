"""`mig usercert`: certificates that let users log in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ...files import write_new
from ...table import table
from ..configuration import Configuration, load
from ..errors import MigError
from ..identity import parse_client_id
from ..passwords import check_policy
from ..store import User
from . import asking
from .listing import find_user

if TYPE_CHECKING:
    from ..usercerts.authority import UserAuthority
    from ..usercerts.records import Record

DAYS = 365
MOST_DAYS = 3650

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Add `usercert` to the commands of `mig`."""
    parser = add("usercert", run, "issue, list and revoke certificates that let users log in")
    parser.add_argument("user", nargs="?", metavar="USER", help="distinguished name or login: issue a certificate")
    parser.add_argument("--days", type=_days, default=DAYS, help=f"for how long it is valid; default {DAYS}")
    parser.add_argument("--output", metavar="FILE", type=Path, help="new PKCS #12 file; default LOGIN.p12")
    parser.add_argument("--passphrase-file", metavar="FILE", type=Path, help="its first line, instead of asking")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--list", action="store_true", help="list certificates, of USER or of all")
    action.add_argument("--revoke", metavar="SERIAL|USER", help="let a certificate, or all of a user, count no longer")
    action.add_argument("--renew-list", action="store_true", help="issue the revocation list for another 30 days")


def run(args: argparse.Namespace) -> int:
    """`mig usercert`."""
    site = load(args.conf)
    authority = _authority(site)
    if args.list:
        _print_records(_records_of(authority, site, args.user) if args.user else authority.records())
    elif args.revoke:
        _revoke(authority, site, args.revoke)
    elif args.renew_list:
        authority.renew_revocation_list()
    elif args.user:
        _issue(authority, site, args)
    else:
        raise MigError("name a user to issue a certificate for, or give --list, --revoke or --renew-list")
    return 0


def _authority(site: Configuration) -> UserAuthority:
    try:
        from ..usercerts.authority import UserAuthority  # the other commands start without cryptography
    except ImportError as error:
        raise MigError(f"{error}; install the package python3-cryptography") from error
    return UserAuthority(site.certs_path, site.title)


def _issue(authority: UserAuthority, site: Configuration, args: argparse.Namespace) -> None:
    user = _known(site, args.user)
    if user.suspended:
        raise MigError(f"user {user.client_id} is suspended; to end that: mig edituser --state present")
    path = args.output or Path(f"{user.alias}.p12")
    if path.exists():
        raise MigError(f"{path} exists; move it away, or name another file with --output")
    passphrase = _passphrase(site, args.passphrase_file)
    write_new(path, authority.issue(user.name, timedelta(days=args.days), passphrase), 0o600)
    print(f"Wrote {path} for {user.client_id}. Its key is nowhere else; hand over the passphrase by another way.")


def _passphrase(site: Configuration, file: Path | None) -> str:
    def check(text: str) -> None:
        check_policy(text, site.password_policy)

    if file:
        passphrase = _first_line(file)
        check(passphrase)
    elif asking.at_terminal():
        passphrase = asking.ask_password(check, "Passphrase")
    else:
        raise MigError("there is no terminal to ask for the passphrase at; give --passphrase-file")
    if not passphrase:
        raise MigError("the file with the certificate and its key needs a passphrase; nothing was issued")
    return passphrase


def _revoke(authority: UserAuthority, site: Configuration, text: str) -> None:
    now = datetime.now(UTC)
    by_serial = [record for record in authority.records() if record.serial == text.upper().replace(":", "")]
    chosen = [record for record in by_serial or _records_of(authority, site, text) if record.state(now) == "valid"]
    if not chosen:
        raise MigError(f"{text} has no certificate that is valid; mig usercert --list lists all")
    authority.revoke([record.serial for record in chosen])
    _print_records(chosen)
    print("Revoked. They count no longer once Apache is reloaded and reads the revocation list.", file=sys.stderr)


def _records_of(authority: UserAuthority, site: Configuration, text: str) -> Sequence[Record]:
    """The certificates of a user, who may have been removed since when a distinguished name is given."""
    client_id = parse_client_id(text).client_id if text.startswith("/") else _known(site, text).client_id
    return [record for record in authority.records() if record.client_id == client_id]


def _known(site: Configuration, text: str) -> User:
    user = find_user(site, text)
    if not user:
        raise MigError(f"there is no user {text}; mig users lists all logins, and --json their distinguished names")
    return user


def _print_records(records: Sequence[Record]) -> None:
    now = datetime.now(UTC)
    rows = [(record.serial, f"{record.not_after:%Y-%m-%d}", record.state(now), record.client_id) for record in records]
    print(table(["Serial", "Valid until", "State", "User"], rows))


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise MigError(f"cannot read {path}: it is not text in UTF-8") from error


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days; write 1 to {MOST_DAYS}")
    return int(text)
