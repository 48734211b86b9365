"""The requests for accounts that wait for a decision: one SQLite file in the state tree.

It also counts what came in, by keys such as an address, so that nobody floods the site or somebody's mailbox.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from .. import database_file
from ..configuration import Configuration
from ..errors import StoreError
from ..identity import Name, parse_client_id
from ..logins.attempt import Method
from ..proofs import External

FILE_NAME = "requests.db"
KEPT_SECONDS = 2 * 86400
"""How long a request waits for its e-mail address to be confirmed."""
MOST = 10_000
_BUSY_SECONDS = 30
_SCHEMA = (
    """CREATE TABLE requests (
        identifier TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        method TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        comment TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        email_is_proven INTEGER NOT NULL,
        created REAL NOT NULL,
        token_digest TEXT NOT NULL
    )""",
    "CREATE TABLE events (key TEXT NOT NULL, time REAL NOT NULL)",
    "CREATE INDEX events_by_key ON events (key, time)",
    "CREATE INDEX events_by_time ON events (time)",
    "PRAGMA user_version = 1",
)


class Limit(NamedTuple):
    """At most so many events with one key in so many seconds."""

    most: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Request:
    """Somebody asks to become the user `client_id`."""

    client_id: str
    method: Method
    password_hash: str = field(default="", repr=False)
    comment: str = ""
    external: External | None = None
    email_is_proven: bool = False
    identifier: str = ""
    created: float = 0.0

    @property
    def name(self) -> Name:
        return parse_client_id(self.client_id)


class Requests:
    """The requests of a site. Methods raise StoreError when the file cannot be used. Runs as the site's account."""

    def __init__(self, site: Configuration, clock: Callable[[], float] = time.time) -> None:
        self.path = site.user_pending / FILE_NAME
        self._clock = clock

    def admit(self, key: str, limit: Limit) -> bool:
        """Note an event; False if there were too many with this key lately."""
        now = self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM events WHERE key = ? AND time < ?", (key, now - limit.seconds))
            connection.execute("DELETE FROM events WHERE time < ?", (now - KEPT_SECONDS,))
            (count,) = connection.execute("SELECT count(*) FROM events WHERE key = ?", (key,)).fetchone()
            if count >= limit.most:
                return False
            connection.execute("INSERT INTO events VALUES (?, ?)", (key, now))
        return True

    def add(self, request: Request, *, waits_for_mail: bool = False) -> str:
        """Keep a request. One that waits for its address is not listed before `confirm` gets the returned secret.

        Raises StoreError when too many are there already.
        """
        token, now = secrets.token_urlsafe(32) if waits_for_mail else "", self._clock()
        with self._transaction() as connection:
            connection.execute("DELETE FROM requests WHERE token_digest != '' AND created < ?", (now - KEPT_SECONDS,))
            (count,) = connection.execute("SELECT count(*) FROM requests").fetchone()
            if count >= MOST:
                raise StoreError(f"{self.path}: {count} requests for accounts wait already; decide about some of them")
            issuer, subject = request.external or ("", "")
            proven = request.email_is_proven
            values = (
                request.client_id,
                request.method,
                request.password_hash,
                request.comment,
                issuer,
                subject,
                proven,
            )
            row = (secrets.token_hex(8), *values, now, _digest(token) if token else "")
            connection.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return token

    def confirm(self, token: str) -> Request | None:
        """List the request of this secret from now on: its address is proven. None: there is no such request."""
        with self._transaction() as connection:
            rows = connection.execute(f"{_SELECT} WHERE token_digest = ? AND token_digest != ''", (_digest(token),))
            found = next(map(_request, rows), None)
            if found is None or found.created < self._clock() - KEPT_SECONDS:
                return None
            query = "UPDATE requests SET token_digest = '', email_is_proven = 1 WHERE identifier = ?"
            connection.execute(query, (found.identifier,))
        return replace(found, email_is_proven=True)

    def all(self) -> list[Request]:
        """The requests that wait for a decision, the oldest first."""
        if not self.path.exists():
            return []
        with self._transaction() as connection:
            return [_request(row) for row in connection.execute(f"{_SELECT} WHERE token_digest = '' ORDER BY created")]

    def get(self, identifier: str) -> Request | None:
        """The request of this name, if it waits for a decision."""
        return next((request for request in self.all() if request.identifier == identifier), None)

    def has(self, client_id: str, method: Method) -> bool:
        """Whether such a request waits already."""
        return any((request.client_id, request.method) == (client_id, method) for request in self.all())

    def remove(self, identifier: str) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM requests WHERE identifier = ?", (identifier,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            database_file.make(self.path)
            with closing(sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                if connection.execute("PRAGMA user_version").fetchone() == (0,):
                    for statement in _SCHEMA:
                        connection.execute(statement)
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"requests for accounts {self.path}: {error}") from error


_SELECT = """
    SELECT identifier, client_id, method, password_hash, comment, issuer, subject, email_is_proven, created
    FROM requests"""


def _request(row: tuple[str, str, str, str, str, str, str, int, float]) -> Request:
    identifier, client_id, method, password_hash, comment, issuer, subject, proven, created = row
    return Request(
        client_id=client_id,
        method=Method(method),
        password_hash=password_hash,
        comment=comment,
        external=External(issuer, subject) if issuer else None,
        email_is_proven=bool(proven),
        identifier=identifier,
        created=created,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
