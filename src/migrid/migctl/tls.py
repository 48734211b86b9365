"""The certificate of the page: the owner's own, or one that the page makes and that travels with the config volume."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from .errors import MigctlError

CERTIFICATE, KEY = "certificate.pem", "certificate_key.pem"
DAYS = 3650

_SUBJECT = "/CN=MIGCTL"
_EXTENSIONS = ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth")


class Pair(NamedTuple):
    """A certificate, with those above it, and its key, as files in PEM (RFC 7468)."""

    certificate: Path
    key: Path

    @property
    def is_there(self) -> bool:
        return self.certificate.exists() and self.key.exists()


def pair(config: Path, place: Path) -> Pair:
    """The owner's own files on the config volume if both are there, else those that the page makes in `place`."""
    own = Pair(config / CERTIFICATE, config / KEY)
    return own if own.is_there else Pair(place / CERTIFICATE, place / KEY)


def make_sure(config: Path, place: Path) -> Pair:
    """The files of the certificate, made if need be. Raises MigctlError, OSError."""
    found = pair(config, place)
    if not found.is_there:
        _make(found)
    return found


def _make(wanted: Pair) -> None:
    """A certificate that says nothing of who has it: a browser asks its user once, and knows it again after a move."""
    wanted.key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = Pair(*(path.with_name(f".{path.name}.new") for path in wanted))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    command += ["-days", str(DAYS), "-subj", _SUBJECT]
    command += [word for extension in _EXTENSIONS for word in ("-addext", extension)]
    command += ["-keyout", str(staged.key), "-out", str(staged.certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, umask=0o077)
    except FileNotFoundError:
        raise MigctlError("There is no openssl here to make a certificate with; install it, or bring one.") from None
    except subprocess.CalledProcessError as error:
        raise MigctlError(f"openssl made no certificate: {error.stderr.strip()}") from error
    for new, path in zip(staged, wanted, strict=True):
        new.replace(path)
