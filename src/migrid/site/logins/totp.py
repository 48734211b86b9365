"""Codes of the second factor: time-based one-time passwords (RFC 6238, RFC 4226) as authenticator apps make them."""

from __future__ import annotations

import base64
import hmac
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
_SECRET_BYTES = 20
_STEPS_OFF = (0, -1, 1)


def new_secret() -> str:
    """A random secret in base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of a time step, counted from 1970 on."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step that has this code, of the present one and its neighbours; None when none has it."""
    present = int(now) // STEP_SECONDS
    typed = "".join(code.split()).encode(errors="replace")
    matches = [
        step for off in _STEPS_OFF if hmac.compare_digest(code_at(secret, step := present + off).encode(), typed)
    ]
    return matches[0] if matches else None


def uri(secret: str, issuer: str, login: str) -> str:
    """What the QR code says that an authenticator app reads: an otpauth URI."""
    label = quote(f"{issuer}:{login}", safe="")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"
