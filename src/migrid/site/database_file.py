"""The file of an SQLite database, made for its owner alone before SQLite opens it, and succeeded by another when it is
damaged and what it held may be forgotten."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..files import make_once

_ALL_SUFFIXES = ("", "-wal", "-shm")


def make(path: Path) -> None:
    """Make an empty file (0600) where nothing is. Raises OSError, also for what is no file.

    A file that is there is never opened: closing it again would take the locks away that other threads of this
    process hold on the database, and two could write it at once (fcntl_locking(2); "How To Corrupt An SQLite Database
    File", 2.2). For the same reason a new file gets its name only when it is closed.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISREG(os.lstat(path).st_mode):
            return
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    make_once(path, b"")


def newest(path: Path) -> Path:
    """The file in use of those that `begin_next` has made: `name.db`, `name.2.db`, `name.3.db` …"""
    first = _numbered(path, 1)
    return max(path.parent.glob(f"{first.stem}.*{first.suffix}"), key=_number, default=first)


def begin_next(damaged: Path) -> bool:
    """Make an empty file that is newer than the damaged one; whether this call was the first to. Raises OSError.

    The damaged file keeps its name, and one that was damaged before it is removed. To rename it while others have it
    open would bring its pages into the new one (the same document, 2.4).
    """
    number = _number(damaged)
    if not make_once(_numbered(damaged, number + 1), b""):
        return False
    if number > 1:
        before = _numbered(damaged, number - 1)
        for suffix in _ALL_SUFFIXES:
            before.with_name(before.name + suffix).unlink(missing_ok=True)
    return True


def _number(path: Path) -> int:
    last = Path(path.stem).suffix.removeprefix(".")
    return int(last) if last.isdecimal() else 1


def _numbered(path: Path, number: int) -> Path:
    name = path.stem if _number(path) == 1 else Path(path.stem).stem
    return path.with_name(f"{name}{path.suffix}" if number == 1 else f"{name}.{number}{path.suffix}")
