"""What Apache has proven about who asks.

A virtual host says by `MIG_LOGIN_METHOD` how its visitors prove who they are. Read are, for certificates,
`SSL_CLIENT_CERT` (mod_ssl with `SSLVerifyClient` and `SSLOptions +ExportCertData`), and for providers `OIDC_CLAIM_sub`,
of an external one also `iss`, `name` (or `given_name` and `family_name`), `email`, `email_verified` and `organization`
(mod_auth_openidc with `OIDCPassClaimsAs environment`; OpenID Connect Core 1.0, section 5.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errors import FieldError, MigError
from .identity import Name, parse_client_id
from .logins.attempt import Method
from .usercerts import CertificateNameError, client_id_of

METHOD = "MIG_LOGIN_METHOD"

Environ = Mapping[str, Any]


class NoProofError(MigError):
    """Nothing is proven here; the text says how the person is called, or why there is no name."""


class External(NamedTuple):
    """Somebody as an external provider knows the person: its name, and the person's there, which never changes."""

    issuer: str
    subject: str


@dataclass(frozen=True)
class Proof:
    """One person, proven by one method. `client_id` is the user that the proof names itself, or ''."""

    method: Method
    client_id: str = ""
    external: External | None = None
    name: Name | None = None
    """What a new user would be called; None: the proof does not say enough."""
    email_is_proven: bool = False

    @property
    def shown_as(self) -> str:
        return self.client_id or " ".join(self.external or ())


def read(environ: Environ) -> Proof:
    """The proof of a request. Raises NoProofError."""
    reader = _READERS.get(str(environ.get(METHOD, "")))
    if reader is None:
        raise NoProofError("this virtual host has no logins")
    return reader(environ)


def _certificate(method: Method, environ: Environ) -> Proof:
    try:
        client_id = client_id_of(str(environ.get("SSL_CLIENT_CERT", "")))
    except CertificateNameError as error:
        raise NoProofError(str(error)) from error
    return Proof(method, client_id, name=parse_client_id(client_id), email_is_proven=True)


def _own_provider(environ: Environ) -> Proof:
    client_id = _claim(environ, "sub")
    if not client_id:
        raise NoProofError("the provider said no name")
    return Proof(Method.MIGOIDC, client_id)


def _external_provider(environ: Environ) -> Proof:
    external = External(_claim(environ, "iss"), _claim(environ, "sub"))
    if not all(external):
        raise NoProofError("the provider said no name")
    proven = _claim(environ, "email_verified").lower() in ("1", "true")
    return Proof(Method.EXTOIDC, external=external, name=_name(environ), email_is_proven=proven)


def _name(environ: Environ) -> Name | None:
    full_name = _claim(environ, "name") or f"{_claim(environ, 'given_name')} {_claim(environ, 'family_name')}"
    try:
        return Name(full_name=full_name, email=_claim(environ, "email"), organization=_claim(environ, "organization"))
    except FieldError:
        return None


def _claim(environ: Environ, name: str) -> str:
    """A claim that mod_auth_openidc has verified; WSGI shows its bytes as Latin-1 (PEP 3333)."""
    text = str(environ.get(f"OIDC_CLAIM_{name}", ""))
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


_READERS: dict[str, Callable[[Environ], Proof]] = {
    Method.MIGCERT: lambda environ: _certificate(Method.MIGCERT, environ),
    Method.EXTCERT: lambda environ: _certificate(Method.EXTCERT, environ),
    Method.MIGOIDC: _own_provider,
    Method.EXTOIDC: _external_provider,
}
METHODS = frozenset(_READERS)
