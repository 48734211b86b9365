"""The log of who tried to log in: one line for each attempt, the same from every daemon.

    2027-01-31T12:00:00.123Z sftp password ada@example.org 192.0.2.7 granted

A space, a backslash, and what cannot be printed appear as \\xNN, \\uNNNN or \\UNNNNNNNN with their number in Unicode; a
field that is empty as `-`. So a line always has six fields, whatever somebody typed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StoreError
from .attempt import Attempt, Reason

FILE_NAME = "auth.log"
_EMPTY = "-"
_LONGEST_FIELD = 2048


def line(attempt: Attempt, reason: Reason, now: float) -> str:
    """What the log says about an attempt."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    login, address = escaped(attempt.login), escaped(attempt.address)
    return f"{time} {attempt.service} {attempt.method} {login} {address} {reason}\n"


def write(path: Path, attempt: Attempt, reason: Reason, now: float) -> None:
    """Append the line to the file, which is made (0600) when it does not exist. Raises StoreError."""
    data = line(attempt, reason, now).encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            complete = os.write(descriptor, data) == len(data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"the log of logins {path}: {error.strerror}") from error
    if not complete:
        raise StoreError(f"the log of logins {path}: no space left for a whole line")


def escaped(text: str) -> str:
    """One printable word for any text, cut when it is very long."""
    if text == _EMPTY:
        return _hexadecimal(text)
    return "".join(map(_escaped_sign, text[:_LONGEST_FIELD])) or _EMPTY


def _escaped_sign(sign: str) -> str:
    return sign if sign.isprintable() and sign not in " \\" else _hexadecimal(sign)


def _hexadecimal(sign: str) -> str:
    number = ord(sign)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
