"""An authorization request: what a client asks through the user's browser (OpenID Connect Core 1.0, section 3.1.2)."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from .clients import Client, Clients

SCOPES = ("openid", "profile", "email")
PROMPTS = ("none", "login", "consent", "select_account")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_SECONDS = re.compile(r"[0-9]{1,9}")
_NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}

Parameters = MultiDict[str, str]


class UnknownClientError(Exception):
    """Nobody knows who asks, so the user gets a page and is sent nowhere."""


class RefusedError(Exception):
    """The client asked for what it cannot have. `error` is a code of RFC 6749 or OpenID Connect Core."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True)
class Return:
    """Where the answer goes: an address that the client has registered."""

    client: Client
    redirect_uri: str
    state: str

    def url(self, **answer: str) -> str:
        """The address with the answer in its query."""
        return with_query(self.redirect_uri, {**answer, **({"state": self.state} if self.state else {})})


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that is in order."""

    client: Client
    redirect_uri: str
    scope: str
    nonce: str
    challenge: str
    prompt: frozenset[str]
    max_age: int | None

    def is_met_by(self, auth_time: int, now: float) -> bool:
        """Whether a login at `auth_time` is enough, or the user has to log in once more."""
        if self.prompt & {"login", "select_account"}:
            return False
        return self.max_age is None or now - auth_time < self.max_age


def with_query(uri: str, parameters: dict[str, str]) -> str:
    """`uri` with parameters added to its query."""
    if not parameters:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"


def read_return(parameters: Parameters, clients: Clients) -> Return:
    """Where the answer of a request goes. Raises UnknownClientError."""
    client_id, redirect_uri = parameters.getlist("client_id"), parameters.getlist("redirect_uri")
    client = clients.get(client_id[0]) if len(client_id) == 1 else None
    if client is None:
        raise UnknownClientError("what sent you here is not one of the pages of the site")
    if len(redirect_uri) != 1 or redirect_uri[0] not in client.redirect_uris:
        raise UnknownClientError("the address to return to is not one of the site's")
    states = parameters.getlist("state")
    return Return(client, redirect_uri[0], states[0] if len(states) == 1 else "")


def read_request(parameters: Parameters, answer: Return) -> AuthorizationRequest:
    """The rest of the request. Raises RefusedError, which goes to `answer`."""
    if any(len(values) > 1 for _, values in parameters.lists()):
        raise RefusedError("invalid_request", "a parameter is given more than once")
    for name, error in _NOT_SUPPORTED.items():
        if name in parameters:
            raise RefusedError(error, f"{name} is not supported")
    given = defaultdict(str, parameters.to_dict())
    if given["response_type"] != "code":
        raise RefusedError("unsupported_response_type", "response_type must be code")
    if given["response_mode"] not in ("", "query"):
        raise RefusedError("invalid_request", "response_mode must be query")
    if given["code_challenge_method"] != "S256" or not _CHALLENGE.fullmatch(given["code_challenge"]):
        raise RefusedError("invalid_request", "code_challenge with code_challenge_method S256 is required")
    return AuthorizationRequest(
        client=answer.client,
        redirect_uri=answer.redirect_uri,
        scope=_scope(given["scope"]),
        nonce=given["nonce"],
        challenge=given["code_challenge"],
        prompt=_prompt(given["prompt"]),
        max_age=_max_age(given["max_age"]),
    )


def _scope(text: str) -> str:
    """The words of the scope that are known here; others mean nothing (RFC 6749, section 3.3)."""
    words = text.split()
    if "openid" not in words:
        raise RefusedError("invalid_scope", "scope must have the word openid")
    return " ".join(word for word in SCOPES if word in words)


def _prompt(text: str) -> frozenset[str]:
    words = frozenset(text.split())
    if not words <= set(PROMPTS) or ("none" in words and len(words) > 1):
        raise RefusedError("invalid_request", f"prompt must be none or some of {', '.join(PROMPTS[1:])}")
    return words


def _max_age(text: str) -> int | None:
    if text and not _SECONDS.fullmatch(text):
        raise RefusedError("invalid_request", "max_age must be a number of seconds")
    return int(text) if text else None
