"""Which part of a file a client asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_BYTES = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class UnsatisfiableError(ValueError):
    """The file has no byte of what is asked for."""


def part(header: str, size: int) -> range | None:
    """The bytes that are asked for, at least one; None for the whole file, which is also the answer to several ranges
    and to what is no range. Raises UnsatisfiableError."""
    match = _BYTES.fullmatch(header)
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        found = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        found = range(int(first), min(size, int(last) + 1) if last else size)
    if not found:
        raise UnsatisfiableError
    return found
