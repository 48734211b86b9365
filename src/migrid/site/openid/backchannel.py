"""What clients ask directly, not through the browser: tokens for a code, and claims for a token."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple
from urllib.parse import unquote_plus

from flask import Blueprint, Response, jsonify, request

from .clients import Client
from .grants import TOKEN_SECONDS, Grant, Redemption
from .hashing import access_token_hash
from .provider import Provider, claims_of, provider

REALM = "grid_openid"

routes = Blueprint("backchannel", __name__)


class Credentials(NamedTuple):
    """What a client says about itself."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"<Credentials of {self.client_id}>"


@routes.post("/token")
def token() -> Response:
    """RFC 6749, section 4.1.3, and OpenID Connect Core 1.0, section 3.1.3."""
    given = request.form
    if any(len(values) > 1 for _, values in given.lists()):
        return _error("invalid_request", "a parameter is given more than once")
    client = _client()
    if client is None:
        return _not_authenticated()
    if given.get("grant_type") != "authorization_code":
        return _error("unsupported_grant_type", "grant_type must be authorization_code")
    code, redirect_uri, verifier = (given.get(name, "") for name in ("code", "redirect_uri", "code_verifier"))
    redeemed = provider().grants.redeem(Redemption(code, client.client_id, redirect_uri, verifier))
    answer = _tokens(provider(), client, *redeemed) if redeemed else None
    return answer or _error("invalid_grant", "the code is wrong, used or too old, or not of this client")


@routes.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """OpenID Connect Core 1.0, section 5.3; the access token comes as in RFC 6750, section 2.1 or 2.2."""
    bearer = bearer_in(request.headers.get("Authorization", "")) or request.form.get("access_token", "")
    if not bearer:
        return _challenge(f'Bearer realm="{REALM}"')
    grant = provider().grants.find(bearer)
    visitor = provider().visitor_of(provider().sessions.get(grant.sid)) if grant else None
    if grant is None or visitor is None:
        return _challenge(f'Bearer realm="{REALM}", error="invalid_token"')
    return jsonify(claims_of(visitor.user, grant.scope))


def credentials_in(header: str) -> Credentials | None:
    """The client's name and secret in an Authorization header of type Basic (RFC 6749, section 2.3.1)."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(unquote_plus(name), unquote_plus(secret)) if colon else None


def bearer_in(header: str) -> str:
    """The access token in an Authorization header of type Bearer (RFC 6750, section 2.1), or nothing."""
    kind, _, text = header.partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def _client() -> Client | None:
    """The client that has proven who it is, in one of the two ways and not in both."""
    header, posted = request.headers.get("Authorization"), request.form.get("client_secret")
    if header is not None and posted is not None:
        return None
    given = credentials_in(header) if header else Credentials(request.form.get("client_id", ""), posted or "")
    client = provider().clients.get(given.client_id) if given else None
    return client if client and given and client.has_secret(given.secret) else None


def _tokens(provider: Provider, client: Client, grant: Grant, access_token: str) -> Response | None:
    """The answer for a good code; None if the session is over."""
    visitor = provider.visitor_of(provider.sessions.get(grant.sid))
    if visitor is None:
        return None
    claims = {"at_hash": access_token_hash(access_token)}
    if grant.nonce:
        claims["nonce"] = grant.nonce
    return jsonify(
        access_token=access_token,
        token_type="Bearer",  # noqa: S106  (a type)
        expires_in=TOKEN_SECONDS,
        scope=grant.scope,
        id_token=provider.id_token(visitor.session, client.client_id, claims),
    )


def _not_authenticated() -> Response:
    response = _error("invalid_client", "the client is unknown, or its secret is wrong")
    response.status_code = 401
    response.headers["WWW-Authenticate"] = f'Basic realm="{REALM}"'
    return response


def _challenge(scheme: str) -> Response:
    return Response(status=401, headers={"WWW-Authenticate": scheme})


def _error(error: str, description: str) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = 400
    return response
