"""Names and paths as pages carry them and show them: a name on the disk is any bytes, and a page is text."""

from __future__ import annotations

import os
import time
from urllib.parse import quote_from_bytes, unquote_to_bytes

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")

Names = tuple[str, ...]


def token(text: str) -> str:
    """A name or path for a form or a query: as it is, but `%` and what is no printable text percent-encoded."""
    if text.isprintable() and "%" not in text:
        return text
    return "".join(sign if sign.isprintable() and sign != "%" else quote_from_bytes(os.fsencode(sign)) for sign in text)


def untoken(text: str) -> str:
    """The name or path of a token."""
    return os.fsdecode(unquote_to_bytes(text))


def split(path: str) -> Names:
    """The names of a path; () is the home."""
    return tuple(path.strip("/").split("/")) if path.strip("/") else ()


def size(count: int) -> str:
    """A number of bytes, in units of 1024."""
    value, unit = float(count), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 10 else f"{value:.1f} {UNITS[unit]}"


def moment(seconds: float) -> str:
    """A time in UTC, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
