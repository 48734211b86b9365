"""The user store: one SQLite file, many readers and one writer at a time.

SQLite's write-ahead log lets readers go on while a writer is at work, and leaves the state before
or after a transaction, never one in between, when the writer dies.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .errors import StoreError
from .schema import MIGRATIONS

if TYPE_CHECKING:
    from .identity import Name

_HEADER = b"SQLite format 3\0"
_BUSY_SECONDS = 30


@dataclass(frozen=True)
class Credentials:
    """What a user has of one's own at one service; '' and () = the user's general ones count."""

    service: str
    password_hash: str = field(default="", repr=False)
    public_keys: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True)
class SecondFactor:
    """The secret (in base32) that a user's codes are made from, and the last time step whose code was accepted."""

    secret: str = field(repr=False)
    confirmed: bool = False
    last_step: int = 0


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
    login_methods: tuple[str, ...] = ()
    """Ways into the web; () = all that the site enables."""
    services: tuple[Credentials, ...] = ()
    """In the order of their services, without those that say nothing."""

    def __repr__(self) -> str:
        return f"<User {self.client_id}>"

    @property
    def name(self) -> Name:
        from .identity import parse_client_id  # only here: mig-login, which never needs it, must start fast

        return parse_client_id(self.client_id)

    def is_expired(self, today: date) -> bool:
        return self.expire is not None and self.expire <= today

    def state(self, today: date) -> str:
        """`suspended`, `expired` or `present`: what lists of users show."""
        if self.suspended:
            return "suspended"
        return "expired" if self.is_expired(today) else "present"

    def own_credentials(self, service: str) -> Credentials:
        """What the user has at a service only."""
        return next((own for own in self.services if own.service == service), Credentials(service))

    def credentials(self, service: str) -> Credentials:
        """What counts at a service: the user's own there, else the general ones."""
        own = self.own_credentials(service)
        return replace(
            own,
            password_hash=own.password_hash or self.password_hash,
            public_keys=own.public_keys or self.public_keys,
        )


def today() -> date:
    """The day, in UTC, that decides whether a user's access has ended."""
    return datetime.now(UTC).date()


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

    def replace(self, removed: Iterable[str], users: Iterable[User], renamed: Mapping[str, str] | None = None) -> None:
        """Remove the users of these client ids, then store `users`: one new generation.

        Only in a transaction. Because removal comes first, users can swap their aliases. The second factor and the
        external identities of a user who is stored again stay; `renamed` has the new client ids of users who come back
        under another name.
        """
        ids = [(client_id,) for client_id in removed]
        stored = list(users)
        with self._errors():
            self._connection.execute("INSERT INTO revisions (token) VALUES (hex(randomblob(8)))")
            generation = self.generation
            self._connection.executemany(_FREE, [(generation, *client_id) for client_id in ids])
            self._connection.executemany("DELETE FROM users WHERE client_id = ?", ids)
            self._connection.executemany("DELETE FROM credentials WHERE client_id = ?", ids)
            self._connection.executemany(_INSERT, (_to_row(user, generation) for user in stored))
            self._connection.executemany(_INSERT_CREDENTIALS, _credential_rows(stored))
            for rename, forget in _OF_USERS:
                self._connection.executemany(rename, ((new, old) for old, new in (renamed or {}).items()))
                self._connection.executemany(forget, ids)

    def users(self) -> Iterator[User]:
        """All users in the order of their client ids."""
        return self._select("")

    def select(self, client_ids: Iterable[str]) -> dict[str, User]:
        """The users of these client ids that exist, by client id."""
        chosen = "WHERE client_id IN (SELECT value FROM json_each(?))"
        found = self._select(chosen, _as_json(client_ids))
        return {user.client_id: user for user in found}

    def owners(self, aliases: Iterable[str]) -> dict[str, str]:
        """The client id of each of these aliases that is taken."""
        query = "SELECT alias, client_id FROM users WHERE alias IN (SELECT value FROM json_each(?))"
        with self._errors():
            return dict(self._connection.execute(query, (_as_json(aliases),)))

    def find(self, text: str) -> User | None:
        """The user of this client id or alias."""
        found = self._select("WHERE client_id = ? OR alias = ?", text, text.lower())
        return next(found, None)

    def logins(self, service: str, since: int = -1) -> list[tuple[str, str, str]]:
        """Raw (alias, client_dir, public_keys), the keys for a service, of the users that were changed after generation
        `since`; all are text, whatever the file holds."""
        with self._errors():
            return self._connection.execute(_LOGINS, (service, since)).fetchall()

    def touched(self, since: int) -> set[str]:
        """Aliases that were given, changed or freed after generation `since`."""
        with self._errors():
            return {alias for (alias,) in self._connection.execute(_TOUCHED, (since, since))}

    def second_factor(self, client_id: str) -> SecondFactor | None:
        """The second factor of a user, confirmed or not."""
        query = "SELECT secret, confirmed, last_step FROM second_factors WHERE client_id = ?"
        with self._errors():
            row = self._connection.execute(query, (client_id,)).fetchone()
        return SecondFactor(row[0], bool(row[1]), row[2]) if row else None

    def with_second_factor(self) -> set[str]:
        """Client ids of the users who have a confirmed second factor."""
        with self._errors():
            return {client_id for (client_id,) in self._connection.execute(_WITH_SECOND_FACTOR)}

    def set_second_factor(self, client_id: str, factor: SecondFactor | None) -> None:
        """Give a user this second factor, or none. It is no change of the users: the generation stays."""
        with self._errors():
            self._connection.execute("DELETE FROM second_factors WHERE client_id = ?", (client_id,))
            if factor:
                row = (client_id, factor.secret, int(factor.confirmed), factor.last_step)
                self._connection.execute("INSERT INTO second_factors VALUES (?, ?, ?, ?)", row)

    def linked(self, external: tuple[str, str]) -> str | None:
        """The client id of the user whom an issuer knows by this subject."""
        query = "SELECT client_id FROM external_identities WHERE issuer = ? AND subject = ?"
        with self._errors():
            row = self._connection.execute(query, external).fetchone()
        return row[0] if row else None

    def link(self, external: tuple[str, str], client_id: str) -> None:
        """Let this issuer and subject stand for a user. It is no change of the users: the generation stays."""
        with self._errors():
            self._connection.execute(_LINK, (*external, client_id))

    def use_step(self, client_id: str, step: int) -> bool:
        """Note that the code of a time step was accepted; False if that step, or a later one, was used before."""
        query = "UPDATE second_factors SET last_step = ? WHERE client_id = ? AND last_step < ?"
        with self._errors():
            return self._connection.execute(query, (step, client_id, step)).rowcount == 1

    def _select(self, chosen: str, *values: str) -> Iterator[User]:
        with self._errors():
            rows = self._connection.execute(_SELECT + chosen + _IN_ORDER, values)
            for _, of_one_user in groupby(rows, key=itemgetter(0)):
                yield _from_rows(list(of_one_user))

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


def _as_json(texts: Iterable[str]) -> str:
    import json  # only here: mig-login, which never needs it, must start fast

    return json.dumps(list(texts))


_SELECT = """
    SELECT client_id, client_dir, alias, users.password_hash, users.public_keys, suspended, expire, comment, created,
        login_methods, own.service, own.password_hash, own.public_keys, own.enabled
    FROM users LEFT JOIN credentials AS own USING (client_id) """
_INSERT = """
    INSERT INTO users (client_id, client_dir, alias, password_hash, public_keys, suspended, expire, comment, created,
        login_methods, generation)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_IN_ORDER = " ORDER BY users.client_id, own.service"
_INSERT_CREDENTIALS = "INSERT INTO credentials VALUES (?, ?, ?, ?, ?)"
_WITH_SECOND_FACTOR = "SELECT client_id FROM second_factors WHERE confirmed"
_RENAME_SECOND_FACTOR = "UPDATE second_factors SET client_id = ? WHERE client_id = ?"
_FORGET_SECOND_FACTOR = """
    DELETE FROM second_factors WHERE client_id = ? AND client_id NOT IN (SELECT client_id FROM users)"""
_RENAME_EXTERNAL = "UPDATE external_identities SET client_id = ? WHERE client_id = ?"
_FORGET_EXTERNAL = """
    DELETE FROM external_identities WHERE client_id = ? AND client_id NOT IN (SELECT client_id FROM users)"""
_LINK = "INSERT OR REPLACE INTO external_identities VALUES (?, ?, ?)"
_OF_USERS = ((_RENAME_SECOND_FACTOR, _FORGET_SECOND_FACTOR), (_RENAME_EXTERNAL, _FORGET_EXTERNAL))
"""What follows a user who is renamed, and goes with one who is removed."""
_LOGINS = """
    SELECT CAST(alias AS TEXT), CAST(client_dir AS TEXT),
        CAST(coalesce(nullif(own.public_keys, ''), users.public_keys) AS TEXT)
    FROM users LEFT JOIN credentials AS own ON own.client_id = users.client_id AND own.service = ?
    WHERE generation > ?"""
_TOUCHED = """
    SELECT CAST(alias AS TEXT) FROM users WHERE generation > ?
    UNION SELECT CAST(alias AS TEXT) FROM freed_aliases WHERE generation > ?"""
_FREE = "INSERT OR REPLACE INTO freed_aliases SELECT alias, ? FROM users WHERE client_id = ?"
_SERVICE_COLUMN = 10
_Row = tuple[Any, ...]


def _to_row(user: User, generation: int) -> _Row:
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
        " ".join(user.login_methods),
        generation,
    )


def _credential_rows(users: Iterable[User]) -> Iterator[_Row]:
    for user in users:
        for own in user.services:
            keys = "\n".join(own.public_keys)
            yield user.client_id, own.service, own.password_hash, keys, int(own.enabled)


def _from_rows(rows: list[_Row]) -> User:
    """The user of one row for each service, or of one row without a service."""
    client_id, client_dir, alias, password_hash, keys, suspended, expire, comment, created, methods, *_ = rows[0]
    return User(
        client_id=client_id,
        client_dir=client_dir,
        alias=alias,
        password_hash=password_hash,
        public_keys=_keys(keys),
        suspended=bool(suspended),
        expire=date.fromisoformat(expire) if expire else None,
        comment=comment,
        created=date.fromisoformat(created),
        login_methods=tuple(methods.split()),
        services=tuple(_credentials(*row[_SERVICE_COLUMN:]) for row in rows if row[_SERVICE_COLUMN]),
    )


def _credentials(service: str, password_hash: str, keys: str, enabled: int) -> Credentials:
    return Credentials(service, password_hash, _keys(keys), bool(enabled))


def _keys(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split("\n")))


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
