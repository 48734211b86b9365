"""Digests of secrets in the forms that the protocols name."""

from __future__ import annotations

import base64
import hashlib


def code_challenge(verifier: str) -> str:
    """What a client gives before it shows the verifier (RFC 7636, section 4.2, method S256)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def access_token_hash(token: str) -> str:
    """The claim at_hash of an ID token signed with SHA-256 (OpenID Connect Core 1.0, section 3.1.3.6)."""
    digest = hashlib.sha256(token.encode()).digest()
    return _base64url(digest[: len(digest) // 2])


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
