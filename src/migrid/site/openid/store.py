"""The database of the provider: sessions, codes, access tokens and notices of logout, in one SQLite file.

Secrets that users and clients hold are in it as SHA-256 digests only.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .. import database_file
from ..errors import StoreError

FILE_NAME = "openid.db"
_BUSY_SECONDS = 10
_SECRET_BYTES = 32

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE sessions (
            sid TEXT PRIMARY KEY,
            cookie_digest TEXT NOT NULL UNIQUE,
            user TEXT NOT NULL,
            password_mark TEXT NOT NULL,
            methods TEXT NOT NULL,
            auth_time INTEGER NOT NULL,
            expires INTEGER NOT NULL,
            address TEXT NOT NULL,
            browser TEXT NOT NULL
        )""",
        "CREATE INDEX sessions_by_user ON sessions (user)",
        """CREATE TABLE participants (
            sid TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
            client_id TEXT NOT NULL,
            PRIMARY KEY (sid, client_id)
        ) WITHOUT ROWID""",
        """CREATE TABLE codes (
            code_digest TEXT PRIMARY KEY,
            sid TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
            client_id TEXT NOT NULL,
            redirect_uri TEXT NOT NULL,
            scope TEXT NOT NULL,
            nonce TEXT NOT NULL,
            challenge TEXT NOT NULL,
            expires INTEGER NOT NULL,
            used INTEGER NOT NULL DEFAULT 0
        )""",
        """CREATE TABLE tokens (
            token_digest TEXT PRIMARY KEY,
            code_digest TEXT NOT NULL REFERENCES codes ON DELETE CASCADE,
            sid TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE,
            scope TEXT NOT NULL,
            expires INTEGER NOT NULL
        )""",
        """CREATE TABLE notices (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            client_id TEXT NOT NULL,
            sid TEXT NOT NULL,
            user TEXT NOT NULL,
            created REAL NOT NULL
        )""",
        "CREATE INDEX codes_by_sid ON codes (sid)",
        "CREATE INDEX tokens_by_sid ON tokens (sid)",
        "CREATE INDEX tokens_by_code ON tokens (code_digest)",
    ),
)
"""Step n makes schema version n out of version n - 1; steps are added, never changed."""


def new_secret() -> str:
    """A random text that nobody guesses."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def digest(secret: str) -> str:
    """What the database knows of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Store:
    """The database in `directory`, which is made (0700) when it does not exist. For many threads and processes.

    Every method raises StoreError when the file cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._turn = threading.Lock()  # so that threads wait for each other, and do not ask SQLite again and again
        with self._errors():
            directory.mkdir(mode=0o700, exist_ok=True)
            database_file.make(self.path)
        self._migrate()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit at the end, or undo everything on an exception."""
        with self._errors(), self._turn, closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for questions."""
        with self._errors(), closing(self._connect()) as connection:
            yield connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _migrate(self) -> None:
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(MIGRATIONS):
                raise StoreError(f"{self.path} is of a newer mig (schema version {version}); upgrade mig on this host")
            for statement in (statement for step in MIGRATIONS[version:] for statement in step):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"database of the OpenID provider {self.path}: {error}") from error
