"""What the commands of `mig` about users accept on the command line."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from ..errors import MigError
from ..logins.attempt import LOGIN_METHODS, Service
from ..users import ALL_METHODS, NAME_FIELDS

NEVER = "never"
YES_NO = {"yes": True, "no": False}
PATTERN_HELP = "shell pattern such as '*@example.org'; upper and lower case are the same"


def add_name(parser: argparse.ArgumentParser) -> None:
    """The fields of a distinguished name."""
    group = parser.add_argument_group("name")
    for field in NAME_FIELDS:
        group.add_argument(_flag(field), metavar="TEXT")


def add_properties(parser: argparse.ArgumentParser) -> None:
    """What a user has besides the name. There is no way to write a password in the command line."""
    group = parser.add_argument_group("properties")
    group.add_argument("--alias", help="short login; the default is the e-mail address")
    group.add_argument("--comment", metavar="TEXT")
    group.add_argument("--expire", metavar="DATE", help=f"no access from this day on, YYYY-MM-DD, or {NEVER}")
    group.add_argument(
        "--public-key",
        metavar="FILE",
        type=Path,
        action="append",
        help="a file of public SSH keys; can be repeated; replaces all keys the user has",
    )
    group.add_argument(
        "--login-methods",
        metavar="LIST",
        help=f"ways into the web, with commas between: {', '.join(LOGIN_METHODS)}; or {ALL_METHODS}",
    )
    group.add_argument(
        "--service-access",
        metavar="SERVICE=yes|no",
        choices=[f"{service}={word}" for service in Service for word in YES_NO],
        action="append",
        help=f"let the user use a service or not: {', '.join(Service)}; can be repeated",
    )
    group.add_argument(
        "--service-password",
        metavar="SERVICE",
        choices=list(Service),
        action="append",
        help="ask for a password for one service only; can be repeated",
    )
    password = group.add_mutually_exclusive_group()
    password.add_argument(
        "--password-file", metavar="FILE", type=Path, help="read the password from a file's first line"
    )
    password.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def add_user(parser: argparse.ArgumentParser) -> None:
    """Which user: by distinguished name or alias."""
    parser.add_argument(
        "-i", "--user", required=True, metavar="DN|ALIAS", help="the user's distinguished name or login"
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Which users to list."""
    for field in ("email", "full_name", "organization"):
        parser.add_argument(_flag(field), metavar="PATTERN", help=PATTERN_HELP)
    for flag in ("--expire-before", "--expire-after"):
        parser.add_argument(flag, metavar="DATE", type=_date, help="YYYY-MM-DD")


def given_name(args: argparse.Namespace) -> dict[str, str]:
    """The fields of the name that were given."""
    return {field: value for field in NAME_FIELDS if (value := getattr(args, field)) is not None}


def given_properties(args: argparse.Namespace) -> dict[str, object]:
    """The properties that were given, as fields of an entry of `mig_users`. Raises MigError for an unreadable file."""
    given: dict[str, object] = {
        key: value for key in ("alias", "comment", "expire") if (value := getattr(args, key)) is not None
    }
    if args.expire == NEVER:
        given["expire"] = ""
    if args.public_key is not None:
        given["public_keys"] = [key for path in args.public_key for key in _keys_in(path)]
    if args.login_methods is not None:
        given["login_methods"] = _methods(args.login_methods)
    if args.service_access:
        given["services"] = given_services(args)
    if args.password_file:
        given["password"] = _first_line(_text_of(args.password_file))
    if args.password_stdin:
        given["password"] = _first_line(sys.stdin.readline())
    return given


def given_services(args: argparse.Namespace) -> dict[str, dict[str, object]]:
    """What was given about services, but for the passwords."""
    words = (text.split("=") for text in args.service_access or ())
    return {service: {"enabled": YES_NO[word]} for service, word in words}


def _methods(text: str) -> str | list[str]:
    return text if text == ALL_METHODS else [word.strip() for word in text.split(",")]


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write YYYY-MM-DD") from None


def _keys_in(path: Path) -> list[str]:
    lines = map(str.strip, _text_of(path).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0].removesuffix("\r")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MigError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not text in UTF-8'}"
        ) from error
