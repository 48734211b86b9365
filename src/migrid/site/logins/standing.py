"""Whether who logged in may stay. The user store is asked when it has changed: that is seen sooner than asked."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from ..configuration import Configuration
from ..store import User
from .attempt import Method, Service
from .decision import Logins

_SETTLED_SECONDS = 1.0
_MOST_KEPT = 10_000

State = tuple[object, ...]


class Standing:
    """Users who logged in. Safe from several threads."""

    def __init__(self, site: Configuration, logins: Logins) -> None:
        self._users = site.user_db_path
        self._logins = logins
        self._kept: dict[tuple[str, Service, Method], tuple[State, User]] = {}

    def still(self, client_id: str, service: Service, method: Method) -> User | None:
        """As `Logins.still`."""
        state, way = _state_of(self._users), (client_id, service, method)
        kept = self._kept.get(way)
        if kept and kept[0] == state:
            return kept[1]
        user = self._logins.still(client_id, service, method)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        if user and state:
            self._kept[way] = state, user
        return user


def _state_of(database: Path) -> State | None:
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
