"""The user store: one SQLite file, many readers and one writer at a time.

SQLite's write-ahead log lets readers go on while a writer is at work, and leaves the state before
or after a transaction, never one in between, when the writer dies.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType

from .errors import StoreError
from .identity import Name, parse_client_id

_HEADER = b"SQLite format 3\0"
_BUSY_SECONDS = 30

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE users (
            client_id TEXT PRIMARY KEY,
            client_dir TEXT NOT NULL UNIQUE,
            alias TEXT NOT NULL UNIQUE,
            password_hash TEXT NOT NULL DEFAULT '',
            public_keys TEXT NOT NULL DEFAULT '',
            suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
            expire TEXT NOT NULL DEFAULT '',
            comment TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            generation INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE TABLE revisions (generation INTEGER PRIMARY KEY, token TEXT NOT NULL)",
        "INSERT INTO revisions VALUES (0, hex(randomblob(8)))",
        "CREATE INDEX users_by_generation ON users (generation)",
        "CREATE TABLE freed_aliases (alias TEXT PRIMARY KEY, generation INTEGER NOT NULL)",
    ),
)
"""Step n makes schema version n out of version n - 1; steps are added, never changed."""


@dataclass(frozen=True, kw_only=True)
class User:
    """A user as the store knows it. Its repr shows no secret."""

    client_id: str
    client_dir: str
    alias: str
    password_hash: str = ""
    public_keys: tuple[str, ...] = ()
    suspended: bool = False
    expire: date | None = None
    comment: str = ""
    created: date

    def __repr__(self) -> str:
        return f"<User {self.client_id}>"

    @property
    def name(self) -> Name:
        return parse_client_id(self.client_id)

    def is_expired(self, today: date) -> bool:
        return self.expire is not None and self.expire <= today


class UserStore:
    """The users of a site, in the file `path`, which is made (0600) when it does not exist.

    A read-only store neither makes nor migrates its file, and is empty when there is none. Every method raises
    StoreError when the file cannot be used.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        with self._errors():
            _check_kind(path, read_only)
            self._connection = _connect(path, read_only)
            try:
                self._migrate(read_only)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> UserStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @property
    def generation(self) -> int:
        """Number of committed changes so far."""
        return self.revision[0]

    @property
    def revision(self) -> tuple[int, str]:
        """The generation and its random token: equal only if the users are, even after a restored backup."""
        query = "SELECT generation, token FROM revisions ORDER BY generation DESC LIMIT 1"
        with self._errors():
            generation, token = self._connection.execute(query).fetchone()
        return int(generation), str(token)

    def has_had(self, revision: tuple[int, str]) -> bool:
        """Whether `revision` is this store's or led to it."""
        query = "SELECT count(*) FROM revisions WHERE generation = ? AND token = ?"
        with self._errors():
            (count,) = self._connection.execute(query, revision).fetchone()
        return bool(count)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see one state."""
        with self._errors():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

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

    def replace(self, removed: Iterable[str], users: Iterable[User]) -> None:
        """Remove the users of these client ids, then store `users`: one new generation.

        Only in a transaction. Because removal comes first, users can swap their aliases.
        """
        ids = [(client_id,) for client_id in removed]
        with self._errors():
            self._connection.execute("INSERT INTO revisions (token) VALUES (hex(randomblob(8)))")
            generation = self.generation
            self._connection.executemany(_FREE, [(generation, *client_id) for client_id in ids])
            self._connection.executemany("DELETE FROM users WHERE client_id = ?", ids)
            self._connection.executemany(_INSERT, (_to_row(user, generation) for user in users))

    def users(self) -> Iterator[User]:
        """All users in the order of their client ids."""
        return self._select("ORDER BY client_id")

    def select(self, client_ids: Iterable[str]) -> dict[str, User]:
        """The users of these client ids that exist, by client id."""
        chosen = "WHERE client_id IN (SELECT value FROM json_each(?))"
        found = self._select(chosen, json.dumps(list(client_ids)))
        return {user.client_id: user for user in found}

    def owners(self, aliases: Iterable[str]) -> dict[str, str]:
        """The client id of each of these aliases that is taken."""
        query = "SELECT alias, client_id FROM users WHERE alias IN (SELECT value FROM json_each(?))"
        with self._errors():
            return dict(self._connection.execute(query, (json.dumps(list(aliases)),)))

    def find(self, text: str) -> User | None:
        """The user of this client id or alias."""
        found = self._select("WHERE client_id = ? OR alias = ?", text, text.lower())
        return next(found, None)

    def logins(self, since: int = -1) -> list[tuple[str, str, str, str, str]]:
        """Raw (alias, client_dir, password_hash, public_keys, expire) of the users that are not suspended and were
        changed after generation `since`; all are text, whatever the file holds."""
        with self._errors():
            return self._connection.execute(_LOGINS, (since,)).fetchall()

    def touched(self, since: int) -> set[str]:
        """Aliases that were given, changed or freed after generation `since`."""
        with self._errors():
            return {alias for (alias,) in self._connection.execute(_TOUCHED, (since, since))}

    def expired(self, today: date) -> int:
        """Number of users whose access has ended."""
        query = "SELECT count(*) FROM users WHERE expire != '' AND expire <= ?"
        with self._errors():
            (count,) = self._connection.execute(query, (today.isoformat(),)).fetchone()
        return int(count)

    def _select(self, rest: str, *values: str) -> Iterator[User]:
        with self._errors():
            for row in self._connection.execute(_SELECT + rest, values):
                yield _from_row(row)

    def _migrate(self, read_only: bool) -> None:
        version = self._version()
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} has schema version {version}, but this mig knows versions up to "
                f"{len(MIGRATIONS)}; upgrade mig on this host"
            )
        if version < len(MIGRATIONS) and read_only:
            self._use_copy()
        if version < len(MIGRATIONS):
            with self.transaction():
                for number in range(self._version(), len(MIGRATIONS)):
                    self._step(number)

    def _use_copy(self) -> None:
        copy = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.backup(copy)
        self._connection.close()
        self._connection = copy

    def _step(self, number: int) -> None:
        for statement in MIGRATIONS[number]:
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {number + 1}")

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"user store {self.path}: {error}") from error


_COLUMNS = "client_id, client_dir, alias, password_hash, public_keys, suspended, expire, comment, created"
_SELECT = f"SELECT {_COLUMNS} FROM users "  # noqa: S608  (a constant)
_INSERT = f"INSERT INTO users ({_COLUMNS}, generation) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608  (a constant)
_LOGINS = """
    SELECT CAST(alias AS TEXT), CAST(client_dir AS TEXT), CAST(password_hash AS TEXT), CAST(public_keys AS TEXT),
        CAST(expire AS TEXT)
    FROM users WHERE generation > ? AND NOT suspended"""
_TOUCHED = """
    SELECT CAST(alias AS TEXT) FROM users WHERE generation > ?
    UNION SELECT CAST(alias AS TEXT) FROM freed_aliases WHERE generation > ?"""
_FREE = "INSERT OR REPLACE INTO freed_aliases SELECT alias, ? FROM users WHERE client_id = ?"
_Row = tuple[str, str, str, str, str, int, str, str, str]


def _to_row(user: User, generation: int) -> tuple[object, ...]:
    return (
        user.client_id,
        user.client_dir,
        user.alias,
        user.password_hash,
        "\n".join(user.public_keys),
        int(user.suspended),
        user.expire.isoformat() if user.expire else "",
        user.comment,
        user.created.isoformat(),
        generation,
    )


def _from_row(row: _Row) -> User:
    client_id, client_dir, alias, password_hash, keys, suspended, expire, comment, created = row
    return User(
        client_id=client_id,
        client_dir=client_dir,
        alias=alias,
        password_hash=password_hash,
        public_keys=tuple(filter(None, keys.split("\n"))),
        suspended=bool(suspended),
        expire=date.fromisoformat(expire) if expire else None,
        comment=comment,
        created=date.fromisoformat(created),
    )


def _check_kind(path: Path, read_only: bool) -> None:
    """Make an empty file if there is none; refuse one that is not SQLite's."""
    if read_only and not path.exists():
        return
    flags = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        header = os.read(descriptor, len(_HEADER))
    finally:
        os.close(descriptor)
    if header not in (b"", _HEADER):
        raise StoreError(
            f"{path} is not an SQLite file; if it is the pickled user database of an earlier MiG, "
            "move it away and give its users to mig_users or mig createuser"
        )


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    if read_only and not path.exists():
        return sqlite3.connect(":memory:", isolation_level=None)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection
