"""What clients find out by themselves: the provider's metadata and public keys."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from .keys import ALGORITHM
from .provider import PASSWORD_CLASS, PROFILE, TWO_FACTORS_CLASS, provider
from .request import PROMPTS, SCOPES

routes = Blueprint("discovery", __name__)


@routes.get("/.well-known/openid-configuration")
def metadata() -> Response:
    """OpenID Connect Discovery 1.0, section 3."""
    settings = provider().settings
    return jsonify(
        issuer=settings.issuer,
        authorization_endpoint=settings.url("authorize"),
        token_endpoint=settings.url("token"),
        userinfo_endpoint=settings.url("userinfo"),
        end_session_endpoint=settings.url("logout"),
        jwks_uri=settings.url("jwks"),
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code"],
        code_challenge_methods_supported=["S256"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        id_token_signing_alg_values_supported=[ALGORITHM],
        subject_types_supported=["public"],
        scopes_supported=list(SCOPES),
        claims_supported=[
            *("iss", "sub", "aud", "iat", "exp", "sid", "nonce", "auth_time", "acr", "amr", "at_hash"),
            *("name", "preferred_username", "email", *PROFILE),
        ],
        acr_values_supported=[PASSWORD_CLASS, TWO_FACTORS_CLASS],
        prompt_values_supported=list(PROMPTS),
        claims_parameter_supported=False,
        request_parameter_supported=False,
        request_uri_parameter_supported=False,
        backchannel_logout_supported=True,
        backchannel_logout_session_supported=True,
    )


@routes.get("/jwks")
def keys() -> Response:
    """RFC 7517, section 5."""
    return jsonify(provider().keys.public())
