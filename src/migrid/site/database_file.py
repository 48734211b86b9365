"""The file of an SQLite database, made for its owner alone before SQLite opens it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from ..files import make_once


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
