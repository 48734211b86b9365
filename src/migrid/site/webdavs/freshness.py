"""Whether the user store has changed, which is much quicker to see than to ask it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

_SETTLED_SECONDS = 1.0


def state_of(database: Path) -> tuple[object, ...] | None:
    """A value that another one follows with each change of an SQLite database, and with each day.

    None as long as the last change is so young that another one could leave the same times and sizes; then ask the
    database. In WAL mode a change is written to the file PATH-wal, which comes and goes.
    """
    now = time.time()
    files = [_status(database), _status(database.with_name(f"{database.name}-wal"))]
    if any(found and not found.st_mtime < now - _SETTLED_SECONDS for found in files):
        return None
    seen = [
        (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) for found in files if found
    ]
    return datetime.fromtimestamp(now, UTC).date(), *seen


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
