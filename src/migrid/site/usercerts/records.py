"""What the authority for users has issued, in a small SQLite file; no key is in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from ..errors import StoreError

_BUSY_SECONDS = 30
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS certificates (
        serial TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        not_after TEXT NOT NULL,
        revoked TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS certificates_by_client_id ON certificates (client_id);
    CREATE TABLE IF NOT EXISTS revocation_lists (number INTEGER PRIMARY KEY AUTOINCREMENT);
"""


@dataclass(frozen=True)
class Record:
    """One certificate. `serial` is in capital hexadecimal digits, as openssl shows it."""

    serial: str
    client_id: str
    not_after: datetime
    revoked: datetime | None = None

    def state(self, now: datetime) -> str:
        """Whether the certificate counts: `valid`, `revoked` or `expired`."""
        if self.revoked:
            return "revoked"
        return "valid" if now < self.not_after else "expired"


class Records:
    """The records in the file `path`, which is made (0600) when there is none. Methods raise StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            path.touch(0o600)
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._connection.executescript(_SCHEMA)

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock; commit at the end, or undo everything on an exception."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._errors():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def add(self, record: Record) -> None:
        """Remember a certificate before anybody has it."""
        row = (record.serial, record.client_id, record.not_after.isoformat())
        with self._errors():
            self._connection.execute("INSERT INTO certificates (serial, client_id, not_after) VALUES (?, ?, ?)", row)

    def all(self) -> list[Record]:
        """Every certificate, by user and then by its end."""
        query = "SELECT serial, client_id, not_after, revoked FROM certificates ORDER BY client_id, not_after, serial"
        with self._errors():
            return [_from_row(*row) for row in self._connection.execute(query)]

    def revoke(self, serial: str, now: datetime) -> None:
        """Remember that a certificate counts no longer."""
        with self._errors():
            self._connection.execute(
                "UPDATE certificates SET revoked = ? WHERE serial = ? AND revoked = ''", (now.isoformat(), serial)
            )

    def next_list_number(self) -> int:
        """The number of the next revocation list, greater than all before (RFC 5280, 5.2.3)."""
        with self._errors():
            return int(self._connection.execute("INSERT INTO revocation_lists DEFAULT VALUES").lastrowid or 0)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the records of users' certificates {self.path}: {error}") from error


def _from_row(serial: str, client_id: str, not_after: str, revoked: str) -> Record:
    end = datetime.fromisoformat(not_after)
    return Record(serial, client_id, end, datetime.fromisoformat(revoked) if revoked else None)
