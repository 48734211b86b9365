"""What a host tells of itself to the engine's user: its listening sockets and the file system of a directory."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STAT = ("stat", "--file-system", "--format", "%a %S %T")
_STATES = {"tcp": "0A", "udp": "07"}  # listening; a UDP socket that is bound and not connected
_WORD = 8


@dataclass(frozen=True)
class FileSystem:
    """The file system that holds a directory."""

    free_bytes: int
    kind: str


def file_system_of(directory: Path) -> FileSystem:
    """The file system of a directory of this host."""
    return file_system(subprocess.run([*STAT, str(directory)], check=True, stdout=subprocess.PIPE, text=True).stdout)


def is_btrfs(directory: Path) -> bool:
    """Whether a directory of this host can hold subvolumes."""
    return file_system_of(directory).kind == "btrfs"


def file_system(text: str) -> FileSystem:
    """From what STAT printed."""
    blocks, size, kind = text.split(maxsplit=2)
    return FileSystem(int(blocks) * int(size), kind.strip())


def listening(proc_net: Path = Path("/proc/net")) -> Iterator[tuple[str, int, str]]:
    """The address (empty for all), port and protocol of each socket of this network namespace that others can reach."""
    for protocol, state in _STATES.items():
        for version in ("", "6"):
            yield from _listening(proc_net / f"{protocol}{version}", protocol, state)


def _listening(path: Path, protocol: str, state: str) -> Iterator[tuple[str, int, str]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if words[3] == state:
            address, _, port = words[1].rpartition(":")
            yield _address(address), int(port, 16), protocol


def _address(text: str) -> str:
    """An address as the kernel prints it: hexadecimal words of four bytes in the host's byte order."""
    words = [text[start : start + _WORD] for start in range(0, len(text), _WORD)]
    packed = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    address = ipaddress.ip_address(socket.inet_ntop(family, packed))
    return "" if address.is_unspecified else str(address)
