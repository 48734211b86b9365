"""Kinds of values in MiGserver.conf: each function turns the text of a value into the typed value.

Every function raises WrongValueError, which says what is wrong and what is accepted.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from .errors import FieldError
from .passwords import parse_policy

T = TypeVar("T")

BOOLEANS = configparser.ConfigParser.BOOLEAN_STATES
LOGIN_METHODS = ("migcert", "extcert", "migoidc", "extoidc")
WHOLE_NAME = "distinguished_name"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
HOST_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)
DISPLAY_NAME = re.compile(r"[^<>]*<([^<>]+)>")
MAIL_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
LOCAL_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class WrongValueError(ValueError):
    """The text is not a value of the wanted kind.

    `what` ends a sentence that starts with the value ("is not a port"), `remedy` says what to write.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def text(value: str) -> str:
    """One line of text, not empty."""
    if not value:
        raise WrongValueError("is empty", "write a value")
    if CONTROL_CHARACTER.search(value):
        raise WrongValueError("holds a control character or a line break", "write one line of text")
    return value


def boolean(value: str) -> bool:
    try:
        return BOOLEANS[value.lower()]
    except KeyError:
        raise WrongValueError("is neither true nor false", "write True or False") from None


def port(value: str) -> int:
    """A TCP port, 1 to 65535."""
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= 65535):
        raise WrongValueError("is not a port", "write a number from 1 to 65535")
    return int(value)


def port_range(value: str) -> tuple[int, int]:
    """The first and the last of several TCP ports."""
    first, _, last = value.partition(":")
    try:
        ports = port(first), port(last)
    except WrongValueError:
        ports = 1, 0
    if ports[0] > ports[1]:
        raise WrongValueError("is not a range of ports", "write the first and the last one, such as 8100:8400")
    return ports


def count(value: str) -> int:
    """A whole number from 1 on."""
    if not (value.isascii() and value.isdigit() and int(value[:12]) >= 1):
        raise WrongValueError("is not a whole number above 0", "write a number such as 100")
    return int(value)


def directory(value: str) -> Path:
    """An absolute path without `..`."""
    path = Path(text(value))
    if not path.is_absolute() or ".." in path.parts:
        raise WrongValueError("is not an absolute path", "write a path that starts with / and has no .. in it")
    return path


def host_name(value: str) -> str:
    """A host name as in RFC 1123."""
    labels = value.split(".")
    if len(value) > 253 or labels[-1].isdigit() or not all(map(HOST_LABEL.fullmatch, labels)):
        raise WrongValueError("is not a host name", "write a name such as grid.example.org")
    return value


def address(value: str) -> str:
    """An IPv4 or IPv6 address or a host name."""
    try:
        return str(ip_address(value))
    except ValueError:
        return host_name(value)


def url(value: str) -> str:
    """An http or https URL of a host, as in RFC 3986."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and host_name(parts.hostname or "") and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise WrongValueError("is not a web address", "write one such as https://grid.example.org:8443")
    return value


def mail_addresses(value: str) -> str:
    """Comma separated e-mail addresses or local accounts, each optionally as `Name <address>` (RFC 5322)."""
    for mailbox in text(value).split(","):
        bare = DISPLAY_NAME.sub(r"\1", mailbox.strip())
        if not (MAIL_ADDRESS.fullmatch(bare) or LOCAL_ACCOUNT.fullmatch(bare)):
            raise WrongValueError(
                "is not a list of e-mail addresses", "write admin@example.org, with commas between several"
            )
    return value


def mail_address(value: str) -> str:
    """One e-mail address, optionally as `Name <address>` (RFC 5322)."""
    if "," in value:
        raise WrongValueError("is more than one e-mail address", "write one, such as MiG <mig@grid.example.org>")
    return mail_addresses(value)


def server(value: str) -> str:
    """A host, or a host and a port, as `host:port`."""
    host, colon, number = value.rpartition(":")
    if colon and host and ":" not in host:
        port(number)
        address(host)
        return value
    return address(value)


def client_ids(value: str) -> tuple[str, ...]:
    """Distinguished names with commas between; a comma inside of one stands before no '/'."""
    names = [name.strip() for name in re.split(r",\s*(?=/)", value) if name.strip()]
    if not names:
        return ()
    from .identity import parse_client_id  # only here: mig-login, which never needs it, must start fast

    try:
        return tuple(parse_client_id(name).client_id for name in names)
    except FieldError as error:
        raise WrongValueError("is no list of distinguished names", str(error.problem)) from None


def user_patterns(value: str) -> tuple[tuple[str, str], ...]:
    """Pairs `field:regular expression` of what a user's name must look like, with spaces between."""
    pairs = []
    for word in re.split(r"\s+(?=[a-z_]+:)", value.strip()):
        name, colon, pattern = word.partition(":")
        try:
            re.compile(pattern)
        except re.error as error:
            raise WrongValueError("holds a wrong regular expression", f"correct it: {error}") from None
        if not colon or (name != WHOLE_NAME and name not in _name_fields()):
            known = ", ".join((WHOLE_NAME, *_name_fields()))
            raise WrongValueError("is no list of field:expression", f"write {WHOLE_NAME}:.*, with a field of {known}")
        pairs.append((name, pattern))
    return tuple(pairs)


def _name_fields() -> tuple[str, ...]:
    from .identity import ATTRIBUTES  # only here, for the same reason

    return tuple(attribute.field for attribute in ATTRIBUTES)


def password_policy(value: str) -> str:
    """A password policy of MiG, as migrid.site.passwords reads it."""
    try:
        parse_policy(value)
    except FieldError:
        raise WrongValueError(
            "is not a password policy",
            "write NONE, WEAK, MEDIUM, HIGH, MODERN:<characters> or CUSTOM:<characters>:<classes>",
        ) from None
    return value


def one_of(*words: str) -> Callable[[str], str]:
    """The kind that accepts these words only, in any case."""

    def check(value: str) -> str:
        if value.lower() not in words:
            raise WrongValueError("is not known here", f"write one of {', '.join(words)}")
        return value.lower()

    return check


def words(*accepted: str) -> Callable[[str], tuple[str, ...]]:
    """Some of these words, or none, with spaces between them."""

    def check(value: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(value.split()))
        for word in found:
            if word not in accepted:
                raise WrongValueError(f"has the unknown word {word!r}", f"write some of {', '.join(accepted)}")
        return found

    return check


def optional(kind: Callable[[str], T]) -> Callable[[str], T | None]:
    """The kind that also accepts nothing: an empty value is None."""
    return lambda value: kind(value) if value else None
