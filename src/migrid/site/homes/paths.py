"""A user's path as names, parsed once; and the names that are not the user's.

A name is text as `os.fsdecode` makes it, so that any bytes but '/' and NUL can be in it: what is no UTF-8 appears as
lone surrogates (PEP 383), and `os.fsencode(name)` is what the disk holds.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Sequence

from .errors import FileError, Kind

Names = tuple[str, ...]

TRASH = ".trash"
RESERVED = frozenset((".ssh", ".davs", ".ftps", TRASH))
"""Top-level names that are the site's own: users neither see nor reach them (they lock themselves out otherwise)."""

_NAME_BYTES = 255
_PARTIAL = re.compile(r"\.partial-[0-9a-f]{16}")


def parse(path: str | Sequence[str]) -> Names:
    """The names of a path from the home down; () is the home itself.

    Text is separated by '/', and may start and end with one. Raises FileError for a name that is no name ('', '.',
    '..', with '/' or NUL), is too long, or is the site's own.
    """
    names = _split(path) if isinstance(path, str) else tuple(path)
    checked = tuple(_checked(name, names) for name in names)
    if checked and checked[0] in RESERVED:
        raise FileError(Kind.NOT_ALLOWED, checked, "is not reachable: the name belongs to the site")
    return checked


def printable(name: str) -> str:
    """A name as it can be shown: what is no text, or no printable one, appears as an escape."""
    if name.isprintable():
        return name
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def partial_name() -> str:
    """A new name for what is not complete: hidden, and not reachable by users."""
    return f".partial-{secrets.token_hex(8)}"


def is_partial(name: str) -> bool:
    """Whether `partial_name` made this name."""
    return _PARTIAL.fullmatch(name) is not None


def _split(text: str) -> Names:
    text = text.removeprefix("/").removesuffix("/")
    return tuple(text.split("/")) if text else ()


def _checked(name: str, names: Sequence[str]) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise FileError(Kind.NOT_ALLOWED, names, f"holds {name!r}, which is not the name of a file")
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        raise FileError(Kind.NOT_ALLOWED, names, "holds a character that no name can hold") from None
    if len(encoded) > _NAME_BYTES:
        raise FileError(Kind.NAME_TOO_LONG, names, f"has a name of {len(encoded)} bytes; at most {_NAME_BYTES} fit")
    if is_partial(name):
        raise FileError(Kind.NOT_ALLOWED, names, "is not reachable: it is an upload under way")
    return os.fsdecode(encoded)
