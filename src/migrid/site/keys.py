"""Public keys as one line of authorized_keys(5), without options.

The data of a key is a sequence of fields, each a length in four bytes and as many bytes (RFC 4251,
section 5; RFC 4253, section 6.6; RFC 5656; RFC 8709; OpenSSH PROTOCOL.u2f).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct

from .errors import FieldError, shown
from .identity import check_text

_FIELDS = {
    "ssh-ed25519": 1,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
    "ssh-rsa": 2,
}
_POINT_BYTES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_ED25519_BYTES = 32
_RSA_BITS = 2048
_COMMENT_CHARACTERS = 255

TYPES = tuple(_FIELDS)


def parse_public_key(line: str) -> str:
    """The key as `type base64 [comment]`. Raises FieldError.

    Accepted are Ed25519, ECDSA, the security-key forms of both, and RSA of at least 2048 bits.
    """
    if "PRIVATE KEY" in line:
        raise FieldError("public_keys", "holds a private key; give the line of its .pub file")
    words = line.split()
    if not words or words[0] not in _FIELDS:
        raise _unknown_type(words)
    if len(words) < 2:
        raise FieldError("public_keys", f"{shown(line)} has a type but no data")
    _check_data(words[0], words[1])
    comment = check_text("public_keys", line.strip().partition(words[1])[2], _COMMENT_CHARACTERS)
    return " ".join(filter(None, (words[0], words[1], comment)))


def fingerprint(line: str) -> str:
    """The fingerprint of a key that `parse_public_key` gave, as `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _unknown_type(words: list[str]) -> FieldError:
    if any(word in _FIELDS for word in words):
        return FieldError("public_keys", f"{shown(words[0])}: options before the key are refused")
    found = shown(words[0]) if words else "an empty line"
    return FieldError("public_keys", f"{found} is not an accepted type of key; give one of {', '.join(_FIELDS)}")


def _check_data(kind: str, encoded: str) -> None:
    try:
        fields = _read_fields(base64.b64decode(encoded, validate=True))
        inner = fields[0].decode()
        sound = len(fields) == _FIELDS[kind] + 1 and _is_sound(kind, fields[1:])
    except (binascii.Error, struct.error, ValueError, IndexError):
        raise FieldError("public_keys", f"the data of this {kind} key is damaged; copy the whole line again") from None
    if inner != kind:
        raise FieldError("public_keys", f"the line says {kind} but its data is {shown(inner)}")
    if not sound:
        raise FieldError("public_keys", _unsound(kind))


def _read_fields(data: bytes) -> list[bytes]:
    fields = []
    while data:
        (length,) = struct.unpack_from(">I", data)
        if len(data) < 4 + length:
            raise ValueError("the last field is cut")
        fields.append(data[4 : 4 + length])
        data = data[4 + length :]
    return fields


def _is_sound(kind: str, fields: list[bytes]) -> bool:
    if kind == "ssh-rsa":
        return int.from_bytes(fields[1], "big").bit_length() >= _RSA_BITS
    if "ed25519" in kind:
        return len(fields[0]) == _ED25519_BYTES
    curve = kind.removeprefix("sk-").removeprefix("ecdsa-sha2-").removesuffix("@openssh.com")
    return fields[0] == curve.encode() and len(fields[1]) == _POINT_BYTES[curve]


def _unsound(kind: str) -> str:
    if kind == "ssh-rsa":
        return f"this RSA key has less than {_RSA_BITS} bits; make a new one with: ssh-keygen -t ed25519"
    return f"the data of this {kind} key is damaged; copy the whole line again"
