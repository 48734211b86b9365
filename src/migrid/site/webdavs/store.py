"""What WebDAV keeps of one user besides the files: locks and properties, in a SQLite file of the user's own.

It lies outside of the home, because users can write there what they like. There is no file before the first lock or
property, and it cannot grow beyond `MOST_BYTES`; so what one user does never slows or blocks another.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from .. import database_file
from ..errors import StoreError

MOST_BYTES = 4 << 20
_PAGE_BYTES = 4096
_BUSY_SECONDS = 30
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE locks (
        token TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        scope TEXT NOT NULL,
        depth TEXT NOT NULL,
        owner BLOB NOT NULL,
        expires REAL NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX locks_by_path ON locks (path)",
    """CREATE TABLE properties (
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (path, name)
    ) WITHOUT ROWID""",
    f"PRAGMA user_version = {_VERSION}",
)

BELOW = "path = :path OR (path >= :path || '/' AND path < :path || '0')"
"""A condition for a path and all below it: '0' is the character after '/'."""


def forget(directory: Path, client_id: str) -> None:
    """Remove the file of a user who is gone for good. Raises StoreError."""
    path = _path_of(directory, client_id)
    try:
        for name in (path.name, f"{path.name}-journal"):
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the locks and properties in {path}: {error}") from error


class FullError(StoreError):
    """The user has as many locks and properties as there is room for."""


class Store:
    """The file of one user in `directory`, open from the first question on: a context manager, for one request.

    Several processes can use the file at once. Methods raise StoreError.
    """

    def __init__(self, directory: Path, client_id: str) -> None:
        self._path = _path_of(directory, client_id)
        self._open: sqlite3.Connection | None = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._open:
            self._open.close()

    def rows(self, query: str, values: dict[str, object] | Sequence[object] = ()) -> list[Any]:
        """What a question finds; nothing when there is no file."""
        if not self._is_there():
            return []
        with self._errors():
            return self._connection().execute(query, values).fetchall()

    def change(self, query: str, values: dict[str, object] | Sequence[object] = ()) -> None:
        """Change what is there; nothing when there is no file."""
        if self._is_there():
            with self.transaction() as connection:
                connection.execute(query, values)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit at the end, or undo everything on an exception."""
        with self._errors():
            database_file.make(self._path)
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                _prepare(connection)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _is_there(self) -> bool:
        return self._open is not None or self._path.exists()

    def _connection(self) -> sqlite3.Connection:
        if not self._open:
            self._open = self._connected()
        return self._open

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute(f"PRAGMA max_page_count = {MOST_BYTES // _PAGE_BYTES}")
            connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise FullError("there is no room for more locks and properties; remove some") from error
            raise StoreError(f"the locks and properties in {self._path}: {error}") from error
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the locks and properties in {self._path}: {error}") from error


def _path_of(directory: Path, client_id: str) -> Path:
    return directory / f"{hashlib.sha256(client_id.encode()).hexdigest()}.db"


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in _SCHEMA:
            connection.execute(statement)
