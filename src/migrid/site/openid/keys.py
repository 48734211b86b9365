"""The keys that sign what the provider says, as a JSON Web Key Set (RFC 7517) for those who check it.

They are in one file, of which only the last key is complete: a key that no longer signs is kept as its public part,
until nothing that it signed is needed any more.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authlib.jose import JsonWebSignature, RSAKey
from authlib.jose.errors import JoseError

from ... import files
from ..errors import StoreError

ALGORITHM = "RS256"
FILE_NAME = "signing-keys.json"
KEY_BITS = 3072


@dataclass(frozen=True)
class _Ring:
    """The file as it was read: the key that signs, and the public keys by name with the times when they go."""

    stamp: tuple[int, int]
    signing: RSAKey
    public: Mapping[str, RSAKey]
    until: Mapping[str, float]


class Keys:
    """The keys in `directory`. `keep_seconds` is how long what they sign is of use.

    Another process may rotate them at any time. Methods raise StoreError when the file cannot be used.
    """

    def __init__(self, directory: Path, keep_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.path = directory / FILE_NAME
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._read: _Ring | None = None

    def make(self) -> None:
        """Make the first key, unless there is one."""
        with self._locked():
            if not self.path.exists():
                self._write([_new_key()])

    def rotate(self) -> str:
        """Let a new key sign, and drop old ones that are of no use any more. Returns the name of the new key."""
        new = _new_key()
        with self._locked():
            old = self._entries() if self.path.exists() else []
            kept = [_without_private(entry, self._gone_at()) for entry in old if self._is_of_use(entry)]
            self._write([*kept, new])
        return str(new["kid"])

    def public(self) -> dict[str, list[dict[str, str]]]:
        """The JSON Web Key Set of all keys that still count."""
        ring = self._ring()
        return {"keys": [ring.public[kid].as_dict() for kid in self._valid(ring)]}

    def sign(self, claims: Mapping[str, object], kind: str = "JWT") -> str:
        """A signed JSON Web Token (RFC 7519) of type `kind`."""
        key = self._ring().signing
        header = {"alg": ALGORITHM, "kid": key.as_dict()["kid"], "typ": kind}
        signed: bytes = _signatures().serialize_compact(header, json.dumps(claims).encode(), key)
        return signed.decode()

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that one of the keys has signed; None for any other text. Its times are not judged."""
        ring = self._ring()
        valid = self._valid(ring)

        def key_of(header: Mapping[str, object], _payload: object) -> RSAKey:
            if header.get("kid") not in valid:
                raise JoseError
            return ring.public[str(header["kid"])]

        try:
            opened: Any = _signatures().deserialize_compact(token.encode("ascii"), key_of)
            claims = json.loads(opened["payload"])
        except (JoseError, ValueError, KeyError, TypeError):
            return None
        return claims if isinstance(claims, dict) else None

    def _valid(self, ring: _Ring) -> list[str]:
        now = self._clock()
        return [kid for kid in ring.public if ring.until.get(kid, now + 1) > now]

    def _ring(self) -> _Ring:
        """The keys of the file, read again only when it is another one."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise self._failure(error) from error
        stamp = (status.st_ino, status.st_mtime_ns)
        if self._read is None or self._read.stamp != stamp:
            entries = self._entries()
            self._read = _Ring(
                stamp,
                RSAKey.import_key(_jwk(entries[-1])),
                {entry["kid"]: RSAKey.import_key(_public_part(entry)) for entry in entries},
                {entry["kid"]: entry["until"] for entry in entries if "until" in entry},
            )
        return self._read

    def _entries(self) -> list[dict[str, Any]]:
        try:
            keys: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))["keys"]
            if "d" not in keys[-1]:
                raise ValueError("the last key cannot sign")
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise self._failure(error) from error
        return keys

    def _is_of_use(self, entry: Mapping[str, Any]) -> bool:
        return "until" not in entry or entry["until"] > self._clock()

    def _gone_at(self) -> float:
        return self._clock() + self._keep_seconds

    def _write(self, entries: list[dict[str, Any]]) -> None:
        files.replace(self.path, json.dumps({"keys": entries}).encode(), 0o600)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            with files.locked(self.path.parent):
                yield
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> StoreError:
        reason = getattr(error, "strerror", None) or f"it is damaged ({error})"
        return StoreError(f"cannot use the signing keys in {self.path}: {reason}")


def _signatures() -> JsonWebSignature:
    return JsonWebSignature(algorithms=[ALGORITHM])


def _new_key() -> dict[str, Any]:
    key = RSAKey.generate_key(KEY_BITS, is_private=True)
    private: dict[str, Any] = key.as_dict(is_private=True)
    return {**private, "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}


def _jwk(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "until"}


def _public_part(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("kty", "n", "e", "kid", "alg", "use")}


def _without_private(entry: Mapping[str, Any], gone_at: float) -> dict[str, Any]:
    return {**_public_part(entry), "until": entry.get("until", gone_at)}
