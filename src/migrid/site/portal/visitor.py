"""Who asks: what Apache has proven, as a user who may log in.

The first page of a browser session is a login, which is decided and written to the log as every other one; then a
cookie stands for it until the browser ends.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from ...files import own_secret
from .. import proofs
from ..configuration import Configuration
from ..errors import EntriesError, MigError
from ..logins import Attempt, Logins, Method, Reason, Service
from ..logins.standing import Standing
from ..proofs import Environ, NoProofError, Proof
from ..signup import deciding
from ..signup.deciding import DecisionError
from ..store import User, UserStore

COOKIE = "__Host-migrid"
KEY_FILE = "portal_key"
"""The secret that cookies and forms are signed with."""


class StrangerError(MigError):
    """Whoever asks is no user who may log in here; `reason` says why, for the log and the page."""

    def __init__(self, reason: Reason, shown_as: str, method: Method | None = None) -> None:
        super().__init__(f"{shown_as}: {reason}")
        self.reason = reason
        self.shown_as = shown_as
        self.method = method


@dataclass(frozen=True)
class Visitor:
    """A user on the pages: the way in, and the cookie of the browser session."""

    user: User
    method: Method
    cookie: str
    form_token: str
    is_new: bool

    @property
    def way(self) -> tuple[Service, Method]:
        return Service.WEB, self.method

    def sent(self, token: str) -> bool:
        """Whether a form with this token was made for this visitor."""
        return hmac.compare_digest(self.form_token.encode(), token.encode("utf-8", "surrogatepass"))


class Desk:
    """Receives visitors. Safe from several threads."""

    def __init__(self, site: Configuration, logins: Logins) -> None:
        self._site = site
        self._logins = logins
        self._standing = Standing(site, logins)
        self._key = own_secret(site.mig_system_files / KEY_FILE)

    def receive(self, environ: Environ, cookie: str) -> Visitor:
        """The visitor who asks. Raises StrangerError."""
        return self.known(environ, cookie) or self._logged_in(_proof(environ), str(environ.get("REMOTE_ADDR", "")))

    def known(self, environ: Environ, cookie: str) -> Visitor | None:
        """The visitor who asks, if the cookie says that it logged in before. Raises StrangerError."""
        proof = _proof(environ)
        client_id, method = self._client_id(proof), proof.method
        if not self._is_cookie_of(cookie, client_id, method):
            return None
        user = self._standing.still(client_id, Service.WEB, method)
        if user is None:
            raise StrangerError(Reason.NOT_ALLOWED, client_id, method)
        return Visitor(user, method, cookie, self._sign("form", cookie), is_new=False)

    def confirmation(self, visitor: Visitor, until: int) -> str:
        """The cookie of a visitor who has just proven once more who it is; it counts until then."""
        return f"{until}.{self._sign('confirmed', visitor.cookie, str(until))}"

    def is_confirmed(self, visitor: Visitor, cookie: str) -> bool:
        """Whether this is such a cookie of the visitor, and its time is not over."""
        until, _, signature = cookie.partition(".")
        wanted = self._sign("confirmed", visitor.cookie, until)
        is_ours = hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass"))
        return is_ours and int(until) > time.time()

    def _logged_in(self, proof: Proof, address: str) -> Visitor:
        attempt = Attempt(Service.WEB, proof.method, self._client_id(proof), address)
        outcome = self._logins.by_proof(attempt)
        if outcome.reason is Reason.UNKNOWN and deciding.is_automatic(self._site, proof):
            with suppress(DecisionError, EntriesError):  # then it stays unknown
                deciding.add_at_once(self._site, proof)
                attempt = Attempt(Service.WEB, proof.method, self._client_id(proof), address)
                outcome = self._logins.by_proof(attempt)
        if outcome.user is None:
            raise StrangerError(outcome.reason, attempt.login, proof.method)
        nonce = secrets.token_urlsafe(16)
        cookie = f"{nonce}.{self._sign('login', nonce, attempt.login, attempt.method)}"
        return Visitor(outcome.user, attempt.method, cookie, self._sign("form", cookie), is_new=True)

    def _client_id(self, proof: Proof) -> str:
        """The user whom the proof names or is linked to; whoever is no user yet is called as the proof does."""
        if proof.external is None:
            return proof.client_id
        with UserStore(self._site.user_db_path, read_only=True) as store:
            return store.linked(proof.external) or proof.shown_as

    def _is_cookie_of(self, cookie: str, client_id: str, method: Method) -> bool:
        nonce, _, signature = cookie.partition(".")
        wanted = self._sign("login", nonce, client_id, method)
        return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass"))

    def _sign(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _proof(environ: Environ) -> Proof:
    try:
        return proofs.read(environ)
    except NoProofError as error:
        reason = Reason.UNKNOWN if environ.get(proofs.METHOD) in proofs.METHODS else Reason.NOT_ALLOWED
        raise StrangerError(reason, str(error)) from error
