"""Who asks: the login and password that come with every request (RFC 7617), proven once a minute."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Any

from ..configuration import Configuration
from ..logins import Attempt, Logins, Method, Outcome, Reason, Service
from ..logins.standing import Standing
from ..store import User

KEPT_SECONDS = 60.0
_MOST_KEPT = 10_000


@dataclass
class StrangerError(Exception):
    """Who asks is not let in: what the response says."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    message: str


@dataclass(frozen=True)
class _Proof:
    """That a password was right: whose, and until when that counts."""

    user: User
    until: float


class Door:
    """Lets users in.

    A password that was right is not hashed again for a minute when it comes with the same login from the same address.
    What is kept is found by a keyed hash of all three, so another password is never taken for it. Whether that user may
    still log in, with that password, is looked at each time.
    """

    def __init__(self, site: Configuration, clock: Callable[[], float] = time.monotonic) -> None:
        self._logins = Logins(site)
        self._standing = Standing(site, self._logins)
        self._challenge = f'Basic realm="{site.short_title.translate(_QUOTED)}", charset="UTF-8"'
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._kept: dict[bytes, _Proof] = {}

    def admit(self, environ: Mapping[str, Any]) -> User:
        """The user who asks. Raises StrangerError, and MigError when nobody can be let in."""
        given = credentials(environ.get("HTTP_AUTHORIZATION", ""))
        if not given:
            raise self._stranger("Log in with your login and password.")
        (login, password), address = given, environ.get("REMOTE_ADDR", "")
        mark = self._mark(login, password, address)
        return self._known(mark) or self._proven(mark, Attempt(Service.DAVS, Method.PASSWORD, login, address), password)

    def _known(self, mark: bytes) -> User | None:
        proof = self._kept.get(mark)
        if not proof or proof.until < self._clock():
            return None
        user = self._standing.still(proof.user.client_id, Service.DAVS, Method.PASSWORD)
        return user if user and _password_hash(user) == _password_hash(proof.user) else None

    def _proven(self, mark: bytes, attempt: Attempt, password: str) -> User:
        outcome = self._logins.by_password(attempt, password)
        if not outcome.user:
            self._kept.pop(mark, None)
            raise self._refusal(outcome)
        now = self._clock()
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {mark: proof for mark, proof in list(self._kept.items()) if proof.until >= now}
        if len(self._kept) < _MOST_KEPT:
            self._kept[mark] = _Proof(outcome.user, now + KEPT_SECONDS)
        return outcome.user

    def _refusal(self, outcome: Outcome) -> StrangerError:
        if outcome.reason is not Reason.TOO_EARLY:
            return self._stranger("The login or the password is wrong, or this login may not use WebDAV.")
        seconds = str(ceil(outcome.retry_after))
        message = f"There were too many wrong passwords. Try again in {seconds} seconds."
        return StrangerError(HTTPStatus.TOO_MANY_REQUESTS, (("Retry-After", seconds),), message)

    def _stranger(self, message: str) -> StrangerError:
        return StrangerError(HTTPStatus.UNAUTHORIZED, (("WWW-Authenticate", self._challenge),), message)

    def _mark(self, login: str, password: str, address: str) -> bytes:
        parts = (part.encode("utf-8", "surrogatepass") for part in (login, password, address))
        return hmac.digest(self._key, b"".join(b"%d:%b" % (len(part), part) for part in parts), "sha256")


def credentials(header: str) -> tuple[str, str] | None:
    """Login and password of the header Authorization; None when it holds none. Text is UTF-8, or else Latin-1."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = given.decode()
    except UnicodeDecodeError:
        text = given.decode("latin-1")
    login, colon, password = text.partition(":")
    return (login, password) if colon else None


def _password_hash(user: User) -> str:
    return user.credentials(Service.DAVS).password_hash


_QUOTED = {ord(sign): f"\\{sign}" for sign in '"\\'}
