"""The keys of the page. They do not need what the page does, so that the command can hand them over."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from ... import files
from ..properties import Properties

KEY = "page_key"


def key_of(place: Path) -> bytes:
    """The key that signs, made once; it travels with the volume. Raises OSError."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return files.own_secret(place / KEY)


def signing_key(key: bytes, properties: Properties) -> bytes:
    """The key of the sessions: another login or password ends them all."""
    login = f"{properties.username}\0{properties.password}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, login, hashlib.sha256)
