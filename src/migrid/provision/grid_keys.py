"""The keys of a grid's host: the one that it logs in to other grids with, and those that its SSH service shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..grid.peers.host_keys import host_keys, type_and_content


class GridKeysError(Exception):
    """The host's keys cannot be made or read; the message says why and what to do."""


def make(key: Path, comment: str) -> bool:
    """Make the Ed25519 key at `key` unless it is there; returns whether it was made.

    Its directory and the one above are made, if missing, so that nobody else can enter them. A key without its public
    half, which a crash left or which nobody knows any more, is made anew.

    Raises:
        GridKeysError: ssh-keygen failed.
    """
    if public_key(key):
        return False
    for directory in (key.parent.parent, key.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key.unlink(missing_ok=True)
    _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)])
    return True


def public_key(key: Path) -> str | None:
    """Type and content of the public half of `key`, without its comment; None if there is no such key."""
    public = key.with_name(f"{key.name}.pub")
    return type_and_content(public) if public.exists() else None


def make_host_keys() -> bool:
    """Make the keys of this host's SSH service if it has none (a new host from an image); returns whether it did.

    Raises:
        GridKeysError: ssh-keygen failed.
    """
    if host_keys():
        return False
    _run(["ssh-keygen", "-A"])
    return True


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise GridKeysError(f"there is no {command[0]} on this host; install OpenSSH's client") from None
    except subprocess.CalledProcessError as error:
        raise GridKeysError(f"{command[0]} failed: {error.stderr.strip()}") from error
