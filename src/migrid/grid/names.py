"""Names that cross between grids and appear in paths: every one is checked before it is used."""

from __future__ import annotations

import calendar
import re
import secrets
import time

from .errors import InvalidNameError

_APPLICATION = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_GRID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}", re.ASCII)
_MOVE = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}", re.ASCII)


def application(value: str) -> str:
    """`value`, if it can name an application; as Compose has it for projects. Raises InvalidNameError."""
    if not _APPLICATION.fullmatch(value):
        raise InvalidNameError(
            f"{value!r} cannot name an application: at most 63 of a-z, 0-9, '_' and '-', a letter or digit first."
        )
    return value


def grid(value: str) -> str:
    """`value`, if it can name a grid. Raises InvalidNameError."""
    if not _GRID.fullmatch(value):
        raise InvalidNameError(
            f"{value!r} cannot name a grid: up to 63 of A-Z, a-z, 0-9, '.' and '-', a letter or digit first."
        )
    return value


def owner(value: str) -> str:
    """`value`, if it can name an owner of applications. Raises InvalidNameError."""
    if not _APPLICATION.fullmatch(value):
        raise InvalidNameError(
            f"{value!r} cannot name an owner: at most 63 of a-z, 0-9, '_' and '-', a letter or digit first."
        )
    return value


def move(value: str) -> str:
    """`value`, if it names a move as `new_move` makes them. Raises InvalidNameError."""
    if not _MOVE.fullmatch(value):
        raise InvalidNameError(f"{value!r} names no move; the command `mig-grid moves` lists them.")
    return value


def made_at(move: str) -> float:
    """When the move got its name, in seconds since 1970."""
    return float(calendar.timegm(time.strptime(move[:15], "%Y%m%dT%H%M%S")))


def new_move() -> str:
    """A new name of a move: its time in UTC to the second, 4 hexadecimal digits for the part of the second, by which
    names come in the order of their moves, and 4 random ones."""
    now = time.time()
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{int(now % 1 * 0x10000):04x}{secrets.token_hex(2)}"
