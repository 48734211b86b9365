"""Tokens with which a visitor of the page is let in to the monitor of a move, each of them once.

The monitor answers at another address, to which the browser does not send the cookie of the page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import Flask

ENTER = "/enter"

_NONCE_BYTES = 18


def key_of(app: Flask) -> bytes:
    """The key that signs the sessions of the application, and these."""
    key = app.secret_key or b""
    return key.encode() if isinstance(key, str) else key


def make(key: bytes, move: str) -> str:
    """A new token for the monitor of the move."""
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    return f"{nonce}.{_digest(key, move, nonce)}"


def name_of(key: bytes, move: str, token: str) -> str:
    """What tells the token from all others, and can name a file; empty if it is none of ours for this move."""
    nonce, _, given = token.encode("ascii", "replace").decode().partition(".")
    return nonce if hmac.compare_digest(_digest(key, move, nonce), given) else ""


def _digest(key: bytes, move: str, nonce: str) -> str:
    return hmac.new(key, f"monitor\0{move}\0{nonce}".encode(), hashlib.sha256).hexdigest()
