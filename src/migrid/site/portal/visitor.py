"""Who asks: what Apache has proven, as a user who may log in.

The virtual host says by `MIG_LOGIN_METHOD` how its visitors prove who they are. The first page of a browser session is
a login, which is decided and written to the log as every other one; then a cookie stands for it until the browser ends.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..configuration import Configuration
from ..errors import MigError
from ..logins import Attempt, Logins, Method, Reason, Service
from ..store import User
from ..usercerts import CertificateNameError, client_id_of

COOKIE = "__Host-migrid"
KEY_FILE = "portal_key"
KEY_BYTES = 32
METHOD = "MIG_LOGIN_METHOD"

Environ = Mapping[str, Any]


class StrangerError(MigError):
    """Whoever asks is no user who may log in here; `reason` says why, for the log and the page."""

    def __init__(self, reason: Reason, shown_as: str) -> None:
        super().__init__(f"{shown_as}: {reason}")
        self.reason = reason
        self.shown_as = shown_as


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
        self._logins = logins
        self._key = _own_key(site.mig_system_files / KEY_FILE)

    def receive(self, environ: Environ, cookie: str) -> Visitor:
        """The visitor who asks. Raises StrangerError."""
        method = _method(environ)
        client_id = _PROOFS[method](environ)
        if self._is_cookie_of(cookie, client_id, method):
            user = self._logins.still(client_id, Service.WEB, method)
            if user is None:
                raise StrangerError(Reason.NOT_ALLOWED, client_id)
            return Visitor(user, method, cookie, self._sign("form", cookie), is_new=False)
        return self._logged_in(Attempt(Service.WEB, method, client_id, str(environ.get("REMOTE_ADDR", ""))))

    def confirmation(self, visitor: Visitor, until: int) -> str:
        """The cookie of a visitor who has just proven once more who it is; it counts until then."""
        return f"{until}.{self._sign('confirmed', visitor.cookie, str(until))}"

    def is_confirmed(self, visitor: Visitor, cookie: str) -> bool:
        """Whether this is such a cookie of the visitor, and its time is not over."""
        until, _, signature = cookie.partition(".")
        wanted = self._sign("confirmed", visitor.cookie, until)
        is_ours = hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass"))
        return is_ours and int(until) > time.time()

    def _logged_in(self, attempt: Attempt) -> Visitor:
        outcome = self._logins.by_proof(attempt)
        if outcome.user is None:
            raise StrangerError(outcome.reason, attempt.login)
        nonce = secrets.token_urlsafe(16)
        cookie = f"{nonce}.{self._sign('login', nonce, attempt.login, attempt.method)}"
        return Visitor(outcome.user, attempt.method, cookie, self._sign("form", cookie), is_new=True)

    def _is_cookie_of(self, cookie: str, client_id: str, method: Method) -> bool:
        nonce, _, signature = cookie.partition(".")
        wanted = self._sign("login", nonce, client_id, method)
        return hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "surrogatepass"))

    def _sign(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def _method(environ: Environ) -> Method:
    try:
        method = Method(environ.get(METHOD, ""))
        if method in _PROOFS:
            return method
    except ValueError:
        pass
    raise StrangerError(Reason.NOT_ALLOWED, "this virtual host has no logins")


def _certified(environ: Environ) -> str:
    """The client id of the certificate that Apache has verified (mod_ssl: SSL_CLIENT_CERT, with +ExportCertData)."""
    try:
        return client_id_of(str(environ.get("SSL_CLIENT_CERT", "")))
    except CertificateNameError as error:
        raise StrangerError(Reason.UNKNOWN, str(error)) from error


def _claimed(environ: Environ) -> str:
    """The client id of the ID token that mod_auth_openidc has verified; WSGI shows its bytes as Latin-1 (PEP 3333)."""
    claim = str(environ.get("OIDC_CLAIM_sub", "")).encode("latin-1", "replace").decode("utf-8", "replace")
    if not claim:
        raise StrangerError(Reason.UNKNOWN, "the provider said no name")
    return claim


_PROOFS: dict[Method, Callable[[Environ], str]] = {
    Method.MIGCERT: _certified,
    Method.EXTCERT: _certified,
    Method.MIGOIDC: _claimed,
}


def _own_key(path: Path) -> bytes:
    """The secret that cookies and forms are signed with, made by the first process that needs it."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
            with suppress(FileExistsError):
                os.link(staged, path)
        finally:
            staged.unlink()
    return path.read_bytes()
