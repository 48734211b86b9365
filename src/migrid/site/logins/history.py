"""The logins of late: what failed, and which addresses users came from. One SQLite file for all daemons of the site.

Every attempt is noted as a failure before the password is looked at, and withdrawn if it was none. So attempts that
come at once count as if they had come one after the other. Of a wrong password only two bytes of a keyed hash are
kept: enough to see that a client repeats it, too little to find it.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from syslog import LOG_ERR, syslog
from types import TracebackType
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from .. import database_file
from ..configuration import Configuration
from ..errors import StoreError
from .delays import DAY, HOUR, KNOWN_ADDRESS, OWN, STRANGERS, Rule

P = ParamSpec("P")
T = TypeVar("T")

FILE_NAME = "logins.db"
_BUSY_SECONDS = 30
_MOST_FAILURES = 100_000
_SCHEMA = (
    """CREATE TABLE failures (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        time REAL NOT NULL,
        login TEXT NOT NULL,
        address TEXT NOT NULL,
        known INTEGER NOT NULL,
        wrong_code INTEGER NOT NULL DEFAULT 0,
        tag BLOB
    )""",
    "CREATE INDEX failures_by_time ON failures (time)",
    "CREATE INDEX failures_by_login ON failures (login, time)",
    "CREATE INDEX failures_by_address ON failures (address, time)",
    """CREATE TABLE successes (
        client_id TEXT NOT NULL,
        address TEXT NOT NULL,
        time REAL NOT NULL,
        PRIMARY KEY (client_id, address)
    ) WITHOUT ROWID""",
    "CREATE INDEX successes_by_time ON successes (time)",
    "CREATE TABLE granted_processes (process TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE tag_key (key BLOB NOT NULL)",
    "PRAGMA user_version = 1",
)
_PRIMARY_CODE = 0xFF
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""The last one because all statements are right for a file with this schema."""
_ADMIT = "INSERT INTO failures (time, login, address, known, tag) VALUES (?, ?, ?, ?, ?)"
_REPEATED = "SELECT 1 FROM failures WHERE login = ? AND tag = ?"
_KNOWN = "SELECT 1 FROM successes WHERE client_id = ? AND address = ? AND time > ?"


class Guess(NamedTuple):
    """A password, and the code if there is one, that is tried for a login; `client_id` is '' if it is no user's."""

    login: str
    address: str
    client_id: str
    secret: str


class Admission(NamedTuple):
    """Whether a guess may be looked at now (`wait` is 0), and the number of the failure that it counts as until then.

    A guess that was made before has no number: it does not count again.
    """

    guess: Guess
    known: bool
    wait: float
    number: int | None = None


class Delay(NamedTuple):
    """Who has to wait: a login, an address or both; the other is ''."""

    login: str
    address: str
    why: str
    failures: int
    wait: float


def path_of(site: Configuration) -> Path:
    """Where the history of a site is."""
    return database_file.newest(site.mig_system_run / FILE_NAME)


class _DamagedError(StoreError):
    """The file is no database, or not the one that was made."""


def _survives_damage(method: Callable[Concatenate[History, P], T]) -> Callable[Concatenate[History, P], T]:
    """Let a method begin a new history when it finds the present one damaged."""

    @wraps(method)
    def survivor(history: History, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(history, *args, **kwargs)
        except _DamagedError as error:
            history.begin_anew(error)
            return method(history, *args, **kwargs)

    return survivor


class History:
    """The file `path`, made (0600) when it does not exist: a context manager. Methods raise StoreError.

    A damaged file is left as it is, and a new one begun: better to forget who has to wait than to let nobody in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = self._opened()
        except _DamagedError as error:
            self._begin_next(error)
            self._connection = self._opened()

    def __enter__(self) -> History:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    @_survives_damage
    def admit(self, guess: Guess, now: float) -> Admission:
        """Whether the guess may be looked at now; if so it is a failure until it is withdrawn or succeeds."""
        with self._transaction():
            self._prune(now)
            known = self._has(_KNOWN, guess.client_id, guess.address, now - KNOWN_ADDRESS)
            rules = (OWN,) if known else (OWN, *STRANGERS)
            wait = max(self._wait(rule, guess, now) for rule in rules)
            if wait:
                return Admission(guess, known, wait)
            tag = self._tag(guess)
            if self._has(_REPEATED, guess.login, tag):
                return Admission(guess, known, 0.0)
            row = (now, guess.login, guess.address, known, tag)
            return Admission(guess, known, 0.0, self._connection.execute(_ADMIT, row).lastrowid)

    @_survives_damage
    def withdraw(self, admission: Admission) -> None:
        """The guess was no failure."""
        with self._transaction():
            self._connection.execute("DELETE FROM failures WHERE number = ?", (admission.number,))

    @_survives_damage
    def wrong_code(self, admission: Admission, now: float) -> None:
        """The password was right but not the code: that counts each time, because codes change."""
        login, address = admission.guess.login, admission.guess.address
        with self._transaction():
            self._connection.execute("DELETE FROM failures WHERE number = ?", (admission.number,))
            self._connection.execute(
                "INSERT INTO failures (time, login, address, known, wrong_code) VALUES (?, ?, ?, ?, TRUE)",
                (now, login, address, admission.known),
            )

    @_survives_damage
    def succeeded(self, client_id: str, login: str, address: str, now: float) -> None:
        """The user has logged in: the address is known from now on, and its failures for this login are forgiven."""
        with self._transaction():
            self._connection.execute("DELETE FROM failures WHERE login = ? AND address = ?", (login, address))
            self._connection.execute("INSERT OR REPLACE INTO successes VALUES (?, ?, ?)", (client_id, address, now))

    @_survives_damage
    def note_granted(self, process: str, now: float) -> None:
        """A process was granted a login by password."""
        with self._transaction():
            self._connection.execute("DELETE FROM granted_processes WHERE time < ?", (now - HOUR,))
            self._connection.execute("INSERT OR REPLACE INTO granted_processes VALUES (?, ?)", (process, now))

    @_survives_damage
    def was_granted(self, process: str) -> bool:
        """Whether that process was granted a login by password and did not ask before."""
        with self._transaction():
            query = "DELETE FROM granted_processes WHERE process = ?"
            return self._connection.execute(query, (process,)).rowcount == 1

    @_survives_damage
    def delays(self, now: float) -> list[Delay]:
        """Who has to wait at present, the longest first."""
        with self._errors():
            found = [delay for rule in (OWN, *STRANGERS) for delay in self._delays(rule, now)]
        return sorted(found, key=lambda delay: (-delay.wait, delay))

    @_survives_damage
    def forget(self, login: str, address: str) -> int:
        """Forget the failures of a login and those from an address; how many there were."""
        with self._transaction():
            query = "DELETE FROM failures WHERE login = ? OR address = ?"
            return self._connection.execute(query, (login, address)).rowcount

    def _wait(self, rule: Rule, guess: Guess, now: float) -> float:
        same = " AND ".join(f"{key} = :{key}" for key in rule.keys)
        query = f"SELECT count(*), max(time) FROM failures WHERE {same} AND time > :since AND {rule.counted}"  # noqa: S608  (constants)
        values = {"login": guess.login, "address": guess.address, "since": now - rule.memory}
        failures, last = self._connection.execute(query, values).fetchone()
        return rule.wait(failures, last or 0.0, now)

    def _delays(self, rule: Rule, now: float) -> Iterator[Delay]:
        columns = ", ".join(key if key in rule.keys else "''" for key in ("login", "address"))
        query = f"SELECT {columns}, count(*), max(time) FROM failures WHERE time > ? AND {rule.counted} GROUP BY 1, 2"  # noqa: S608  (constants)
        for login, address, failures, last in self._connection.execute(query, (now - rule.memory,)):
            wait = rule.wait(failures, last, now)
            if wait:
                yield Delay(login, address, rule.why, failures, wait)

    def _tag(self, guess: Guess) -> bytes:
        (key,) = self._connection.execute("SELECT key FROM tag_key").fetchone()
        secret = f"{guess.login}\0{guess.secret}".encode(errors="surrogatepass")
        return hmac.digest(key, secret, "sha256")[:2]

    def _has(self, query: str, *values: object) -> bool:
        return self._connection.execute(query, values).fetchone() is not None

    def _prune(self, now: float) -> None:
        self._connection.execute("DELETE FROM failures WHERE time < ?", (now - DAY,))
        self._connection.execute(
            "DELETE FROM failures WHERE number <= (SELECT max(number) FROM failures) - ?", (_MOST_FAILURES,)
        )
        self._connection.execute("DELETE FROM successes WHERE time < ?", (now - KNOWN_ADDRESS,))

    def begin_anew(self, damage: StoreError) -> None:
        """Go on with an empty file instead of the damaged one, or with the one that somebody else has begun."""
        self._connection.close()
        self._begin_next(damage)
        self._connection = self._opened()

    def _begin_next(self, damage: StoreError) -> None:
        with self._errors():
            if database_file.begin_next(self._path):
                syslog(LOG_ERR, f"{damage}; a new one is begun beside it, and who had to wait is forgotten")
            self._path = database_file.newest(self._path)

    def _opened(self) -> sqlite3.Connection:
        with self._errors():
            database_file.make(self._path)
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors(), _transaction(self._connection):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"the history of logins {self._path}: {error}") from error
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _kind(error)(f"the history of logins {self._path}: {error}") from error


def _kind(error: Exception) -> type[StoreError]:
    """Whether the file is to blame, or the disk, or who has it locked. What is no text has no code."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return _DamagedError if code & _PRIMARY_CODE in _DAMAGE else StoreError


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if not _version(connection):
        with _transaction(connection):
            if not _version(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO tag_key VALUES (?)", (_new_key(),))
                connection.execute("INSERT INTO sqlite_sequence VALUES ('failures', ?)", (time.time_ns(),))


def _new_key() -> bytes:
    return os.urandom(32)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
