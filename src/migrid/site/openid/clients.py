"""The clients of the provider: virtual hosts of the site, from a file that the role writes.

The file is a JSON list; the keys of an entry are named as in OpenID Connect Dynamic Client Registration 1.0:
client_id, client_secret or client_secret_file, redirect_uris, post_logout_redirect_uris, backchannel_logout_uri.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ConfigurationError, shown

SECRET_CHARACTERS = 32
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEYS = (
    "client_id",
    "client_secret",
    "client_secret_file",
    "redirect_uris",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
)
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_URI_SIGNS = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Client:
    """One client. Addresses of it count only when they are written exactly as here."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str = ""

    def has_secret(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret.encode(), secret.encode())

    @property
    def origins(self) -> set[str]:
        """Where the provider sends a browser back to."""
        parts = map(urlsplit, (*self.redirect_uris, *self.post_logout_redirect_uris))
        return {f"{part.scheme}://{part.netloc}" for part in parts}


Clients = Mapping[str, Client]


def load(path: Path) -> Clients:
    """The clients of a file, by client_id. Raises ConfigurationError, which shows no secret."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the clients in {path}: {error.strerror}; run site.yml again") from error
    except ValueError:
        raise ConfigurationError(f"{path}: this is no JSON in UTF-8; write a list of clients") from None
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path}: this is no list; write a list of clients")
    return read(entries, str(path))


def read(entries: Iterable[object], where: str) -> Clients:
    """The clients of a list of entries. Raises ConfigurationError."""
    clients: dict[str, Client] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            client = _client(entry)
            if client.client_id in clients:
                raise _WrongClientError(f"client_id: {shown(client.client_id)} is another client's; write another one")
        except _WrongClientError as error:
            raise ConfigurationError(f"{where}: client {number}: {error}") from None
        clients[client.client_id] = client
    return clients


def is_uri(text: str) -> bool:
    """Whether `text` is an absolute https URI without user, password and fragment; http is accepted on loopback."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return bool(secure and host and _URI_SIGNS.fullmatch(text) and "@" not in parts.netloc and "#" not in text)


class _WrongClientError(Exception):
    """What is wrong with one entry and what is accepted."""


def _client(entry: object) -> Client:
    if not isinstance(entry, dict):
        raise _WrongClientError("this is no mapping; write an object with client_id and redirect_uris")
    for key in entry:
        if key not in KEYS:
            raise _WrongClientError(f"{shown(key)} is no key of a client; known are {', '.join(KEYS)}")
    client_id = entry.get("client_id")
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise _WrongClientError("client_id: write 1 to 100 letters, digits, '.', '_' and '-'")
    redirect_uris = _uris(entry, "redirect_uris")
    if not redirect_uris:
        raise _WrongClientError("redirect_uris: write at least one")
    logout = entry.get("backchannel_logout_uri", "")
    return Client(
        client_id=client_id,
        secret=_secret(entry),
        redirect_uris=redirect_uris,
        post_logout_redirect_uris=_uris(entry, "post_logout_redirect_uris"),
        backchannel_logout_uri=_uri(logout, "backchannel_logout_uri") if logout else "",
    )


def _secret(entry: Mapping[str, object]) -> str:
    secret, file = entry.get("client_secret"), entry.get("client_secret_file")
    if (secret is None) == (file is None):
        raise _WrongClientError("client_secret: write either client_secret or client_secret_file")
    if file is not None:
        try:
            secret = Path(str(file)).read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise _WrongClientError(f"client_secret_file: cannot read {shown(file)}: {reason}") from None
    if not isinstance(secret, str) or len(secret) < SECRET_CHARACTERS:
        raise _WrongClientError(f"client_secret: write at least {SECRET_CHARACTERS} random characters")
    return secret


def _uris(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    values = entry.get(key, [])
    if not isinstance(values, list):
        raise _WrongClientError(f"{key}: this is no list; write a list of addresses")
    return tuple(_uri(value, key) for value in values)


def _uri(value: object, key: str) -> str:
    if not isinstance(value, str) or not is_uri(value):
        raise _WrongClientError(f"{key}: {shown(value)} is no absolute https address without user and fragment")
    return value
