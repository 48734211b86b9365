"""What a client gets for a login: a code that passes through the browser, then an access token for the code."""

from __future__ import annotations

import hmac
import re
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from .hashing import code_challenge
from .request import AuthorizationRequest
from .store import Store, digest, new_secret

CODE_SECONDS = 60
TOKEN_SECONDS = 600
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Redemption:
    """A code as a client hands it in, and the proof that the client began the login itself (RFC 7636)."""

    code: str
    client_id: str
    redirect_uri: str
    verifier: str


@dataclass(frozen=True)
class Grant:
    """What a code or an access token stands for."""

    sid: str
    scope: str
    nonce: str = ""


class Grants:
    """The codes and access tokens in the provider's database. Methods raise StoreError when it cannot be used."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def issue_code(self, request: AuthorizationRequest, sid: str) -> str:
        """A code for what a client asked, in the session `sid`."""
        code = new_secret()
        values = (
            digest(code),
            sid,
            request.client.client_id,
            request.redirect_uri,
            request.scope,
            request.nonce,
            request.challenge,
            self._clock() + CODE_SECONDS,
        )
        with self._store.transaction() as connection:
            connection.execute(_ADD_CODE, values)
        return code

    def redeem(self, redemption: Redemption) -> tuple[Grant, str] | None:
        """The grant and an access token for a code; None if the code is not good.

        A client that hands in a code has used it, whatever comes of it. One that comes twice was stolen: the token
        that was given for it is revoked.
        """
        code_digest = digest(redemption.code)
        with self._store.transaction() as connection:
            row = connection.execute(_FIND_CODE, (code_digest, redemption.client_id)).fetchone()
            if row is None:
                return None
            connection.execute("UPDATE codes SET used = 1 WHERE code_digest = ?", (code_digest,))
            if row["used"]:
                connection.execute("DELETE FROM tokens WHERE code_digest = ?", (code_digest,))
                return None
            if row["expires"] <= self._clock() or not _belongs(row, redemption):
                return None
            token = new_secret()
            values = (digest(token), code_digest, row["sid"], row["scope"], self._clock() + TOKEN_SECONDS)
            connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", values)
        return Grant(row["sid"], row["scope"], row["nonce"]), token

    def find(self, token: str) -> Grant | None:
        """What an access token stands for; None if it is not good."""
        with self._store.reading() as connection:
            row = connection.execute(_FIND_TOKEN, (digest(token), self._clock())).fetchone()
        return Grant(row["sid"], row["scope"]) if row else None

    def forget_old(self) -> None:
        """Remove what is of no use any more."""
        now = self._clock()
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM tokens WHERE expires <= ?", (now,))
            connection.execute("DELETE FROM codes WHERE expires <= ?", (now - TOKEN_SECONDS,))


_ADD_CODE = """
    INSERT INTO codes (code_digest, sid, client_id, redirect_uri, scope, nonce, challenge, expires)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND_CODE = "SELECT * FROM codes WHERE code_digest = ? AND client_id = ?"
_FIND_TOKEN = "SELECT * FROM tokens WHERE token_digest = ? AND expires > ?"  # noqa: S105  (a query)


def _belongs(row: sqlite3.Row, redemption: Redemption) -> bool:
    return bool(
        row["redirect_uri"] == redemption.redirect_uri
        and _VERIFIER.fullmatch(redemption.verifier)
        and hmac.compare_digest(code_challenge(redemption.verifier), row["challenge"])
    )
