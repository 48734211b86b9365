"""The public keys of this host's SSH service."""

from __future__ import annotations

from pathlib import Path

HOST_KEYS = "ssh_host_*_key.pub"
SSH = Path("/etc/ssh")


def host_keys(directory: Path | None = None) -> list[str]:
    """Each as its type and its content; the service's configuration is in `directory`."""
    return sorted(type_and_content(path) for path in (directory or SSH).glob(HOST_KEYS))


def type_and_content(public: Path) -> str:
    """A public key without its comment."""
    return " ".join(public.read_text(encoding="utf-8").split()[:2])
