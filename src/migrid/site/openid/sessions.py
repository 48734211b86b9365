"""Who is logged in: the sessions of users at the provider.

A session ends everywhere: each client that took part in it gets a notice of logout, which the daemon delivers.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..store import User
from .store import Store, digest, new_secret

PASSWORD = "pwd"  # noqa: S105  (a method of RFC 8176, no password)
ONE_TIME_CODE = "otp"
_BROWSER_CHARACTERS = 200


@dataclass(frozen=True)
class Login:
    """What was proven just now: who it is and by which methods (RFC 8176), from where."""

    user: User
    methods: tuple[str, ...]
    address: str
    browser: str


@dataclass(frozen=True)
class Session:
    """One session of a user. `sid` is its public name, no secret; `user` is a client_id (a distinguished name)."""

    sid: str
    user: str
    password_mark: str = field(repr=False)
    methods: tuple[str, ...]
    auth_time: int
    expires: int
    address: str
    browser: str

    def is_of(self, user: User) -> bool:
        """Whether it is the user's, and the password is still the one that the session began with."""
        return self.user == user.client_id and self.password_mark == _mark(self.sid, user)


class Sessions:
    """The sessions in the provider's database. Methods raise StoreError when it cannot be used."""

    def __init__(self, store: Store, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock

    def begin(self, login: Login) -> str:
        """Begin a session; what the browser's cookie has to hold."""
        return self._save(new_secret(), login)

    def renew(self, session: Session, login: Login) -> str:
        """Go on with a session whose user has logged in once more; the cookie gets a new value."""
        return self._save(session.sid, login)

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie."""
        return self._first("cookie_digest = ?", digest(cookie))

    def get(self, sid: str) -> Session | None:
        """The session of this name."""
        return self._first("sid = ?", sid)

    def of_user(self, user: str) -> list[Session]:
        """The sessions of a user, the latest login first."""
        return self._select("user = ? AND expires > ? ORDER BY auth_time DESC", user, self._clock())

    def all(self) -> list[Session]:
        """All sessions, also those whose time is over and that nobody has ended yet."""
        return self._select("1")

    def end(self, *sids: str) -> int:
        """End these sessions; how many there were."""
        with self._store.transaction() as connection:
            return sum(_end(connection, sid, self._clock()) for sid in sids)

    def end_of_user(self, user: str, *, but: str = "") -> int:
        """End the sessions of a user, except the one named `but`; how many there were."""
        return self.end(*(session.sid for session in self.of_user(user) if session.sid != but))

    def keep(self, sid: str, user: User) -> None:
        """Let a session of a user go on although the password has changed."""
        with self._store.transaction() as connection:
            values = (_mark(sid, user), sid, user.client_id)
            connection.execute("UPDATE sessions SET password_mark = ? WHERE sid = ? AND user = ?", values)

    def join(self, session: Session, client_id: str) -> None:
        """Note that a client takes part in a session."""
        with self._store.transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO participants VALUES (?, ?)", (session.sid, client_id))

    def _save(self, sid: str, login: Login) -> str:
        cookie, now = new_secret(), int(self._clock())
        values = (
            sid,
            digest(cookie),
            login.user.client_id,
            _mark(sid, login.user),
            " ".join(login.methods),
            now,
            now + self._seconds,
            login.address,
            login.browser[:_BROWSER_CHARACTERS],
        )
        with self._store.transaction() as connection:
            connection.execute(_SAVE, values)
        return cookie

    def _first(self, condition: str, value: str) -> Session | None:
        return next(iter(self._select(f"{condition} AND expires > ?", value, self._clock())), None)

    def _select(self, condition: str, *values: object) -> list[Session]:
        with self._store.reading() as connection:
            return [_session(row) for row in connection.execute(_SELECT + condition, values)]


_SELECT = "SELECT * FROM sessions WHERE "
_SAVE = """
    INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (sid) DO UPDATE SET cookie_digest = excluded.cookie_digest, password_mark = excluded.password_mark,
        methods = excluded.methods, auth_time = excluded.auth_time, expires = excluded.expires,
        address = excluded.address, browser = excluded.browser"""
_NOTE_LOGOUT = """
    INSERT INTO notices (client_id, sid, user, created)
    SELECT client_id, sid, user, ? FROM participants JOIN sessions USING (sid) WHERE sid = ?"""


def _end(connection: sqlite3.Connection, sid: str, now: float) -> int:
    connection.execute(_NOTE_LOGOUT, (now, sid))
    return connection.execute("DELETE FROM sessions WHERE sid = ?", (sid,)).rowcount


def _mark(sid: str, user: User) -> str:
    """Changes with the user's password, and tells nothing about it."""
    return digest(f"{sid} {user.password_hash}")


def _session(row: sqlite3.Row) -> Session:
    return Session(
        sid=row["sid"],
        user=row["user"],
        password_mark=row["password_mark"],
        methods=tuple(row["methods"].split()),
        auth_time=row["auth_time"],
        expires=row["expires"],
        address=row["address"],
        browser=row["browser"],
    )
