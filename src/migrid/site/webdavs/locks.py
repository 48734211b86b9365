"""The locks of one user (RFC 4918, sections 6 and 7), as WsgiDAV asks for them.

A lock is a dictionary with the keys `token`, `root` (the path), `type`, `scope`, `depth`, `owner` (XML), `principal`,
`expire` (seconds since 1970) and `timeout`. Paths are in the one form of `paths`. Since all locks are one user's, it is
the token alone that says who holds a lock.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from wsgidav.dav_error import (
    HTTP_LOCKED,
    DAVError,
    DAVErrorCondition,
    PRECONDITION_CODE_LockConflict,
)

from .store import BELOW, Store

LONGEST_SECONDS = 24 * 3600.0
_COLUMNS = "SELECT token, path, scope, depth, owner, expires FROM locks"
_ABOVE = "(depth = 'infinity' AND path IN (SELECT value FROM json_each(:above)))"
_COVERING = f"path = :path OR {_ABOVE}"
_TOUCHED = f"{BELOW} OR {_ABOVE}"

Lock = dict[str, Any]


class Locks:
    """The locks in a store. `principal` is there because WsgiDAV gives it. Methods raise DAVError and StoreError."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def acquire(
        self,
        *,
        url: str,
        lock_scope: str,
        lock_depth: str,
        lock_owner: bytes,
        timeout: float | None,
        principal: str,
        **_: object,
    ) -> Lock:
        """A new lock. Raises DAVError, Locked, for one that another lock excludes."""
        now, path = self._clock(), _key(url)
        token = uuid.uuid4().urn
        condition = _TOUCHED if lock_depth == "infinity" else _COVERING
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM locks WHERE expires <= ?", (now,))
            there = _found(connection.execute(f"{_COLUMNS} WHERE {condition}", _places(path)), now)
            _refuse(lock for lock in there if "exclusive" in (lock["scope"], lock_scope))
            row = (token, path, lock_scope, lock_depth, lock_owner, now + _seconds(timeout))
            connection.execute("INSERT INTO locks VALUES (?, ?, ?, ?, ?, ?)", row)
        return _lock(row, now)

    def check_write_permission(self, *, url: str, depth: str, token_list: Collection[str], principal: str) -> None:
        """Raise DAVError, Locked, unless the token of each lock on what is to be changed was sent along."""
        there = self._select(_TOUCHED if depth == "infinity" else _COVERING, _key(url))
        _refuse(lock for lock in there if lock["token"] not in token_list)

    @contextmanager
    def write_transaction(
        self, *, url: str, token_list: Collection[str], principal: str, depth: str = "0"
    ) -> Iterator[None]:
        """Let the block change a resource that is not locked."""
        self.check_write_permission(url=url, depth=depth, token_list=token_list, principal=principal)
        yield

    def refresh(self, token: str, *, timeout: float | None = None) -> Lock:
        """Let a lock begin again."""
        now = self._clock()
        self._store.change("UPDATE locks SET expires = ? WHERE token = ?", (now + _seconds(timeout), token))
        (row,) = self._store.rows(f"{_COLUMNS} WHERE token = ?", (token,))
        return _lock(row, now)

    def release(self, token: str) -> None:
        self._store.change("DELETE FROM locks WHERE token = ?", (token,))

    def remove_all_locks_from_url(self, url: str, *, recursive: bool = False) -> None:
        condition = BELOW if recursive else "path = :path"
        self._store.change(f"DELETE FROM locks WHERE {condition}", {"path": _key(url)})  # noqa: S608  (constants)

    def get_url_lock_list(self, url: str) -> list[Lock]:
        """The locks that hold for a resource, its own and those of what it lies in."""
        return list(self._select(_COVERING, _key(url)))

    def get_indirect_url_lock_list(self, url: str, *, principal: str | None = None) -> list[Lock]:
        return self.get_url_lock_list(url)

    def is_url_locked_by_token(self, url: str, lock_token: str) -> bool:
        return any(lock["token"] == lock_token for lock in self.get_url_lock_list(url))

    def is_token_locked_by_user(self, token: str, principal: str) -> bool:
        """Whether the user may end this lock: it is in the user's own store."""
        return True

    def _select(self, condition: str, path: str) -> Iterator[Lock]:
        return _found(self._store.rows(f"{_COLUMNS} WHERE {condition}", _places(path)), self._clock())


def _key(url: str) -> str:
    return url.rstrip("/")


def _places(path: str) -> dict[str, object]:
    """The values of the conditions: a path, and the paths of what it lies in as JSON; none needs quoting."""
    names = path.split("/")
    above = ",".join(f'"{"/".join(names[:count])}"' for count in range(1, len(names)))
    return {"path": path, "above": f"[{above}]"}


def _seconds(timeout: float | None) -> float:
    """How long a lock lasts for which a client wants this; -1 is for ever, None is no wish."""
    return timeout if timeout is not None and 0 < timeout < LONGEST_SECONDS else LONGEST_SECONDS


def _found(rows: Iterable[Any] | sqlite3.Cursor, now: float) -> Iterator[Lock]:
    return (_lock(row, now) for row in rows if row[-1] > now)


def _lock(row: Any, now: float) -> Lock:
    token, path, scope, depth, owner, expires = row
    return {
        "token": token,
        "root": path or "/",
        "type": "write",
        "scope": scope,
        "depth": depth,
        "owner": owner,
        "principal": "",
        "expire": expires,
        "timeout": expires - now,
    }


def _refuse(locks: Iterable[Lock]) -> None:
    conflict = DAVErrorCondition(PRECONDITION_CODE_LockConflict)
    for lock in locks:
        conflict.add_href(lock["root"])
    if conflict.hrefs:
        raise DAVError(HTTP_LOCKED, err_condition=conflict)
