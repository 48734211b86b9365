"""Hosts on a wire, each a network namespace of the kernel. Needs root, and the programs ip and sysctl."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NETWORK = "10.77.0"
NETWORK_6 = "fd77::"

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


class Host:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.namespace = f"ps8-{os.getpid()}-{next(_numbers)}"
        self.number = 0
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        self.run("ip", "link", "set", "lo", "up")

    @property
    def address(self) -> str:
        return f"{NETWORK}.{self.number}"

    @property
    def address_6(self) -> str:
        return f"{NETWORK_6}{self.number:x}"

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is on this host; sockets that it makes there stay there."""
        with Path("/proc/thread-self/ns/net").open() as before, Path("/run/netns", self.namespace).open() as here:
            _enter(here.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.namespace], check=True)


class Wire(Host):
    """A bridge to which hosts are connected, as those of a network of Docker are."""

    def __init__(self) -> None:
        super().__init__("wire")
        self.run("ip", "link", "add", "wire", "type", "bridge")
        self.run("ip", "link", "set", "wire", "up")
        self._count = 0

    def connect(self, name: str) -> Host:
        """A new host with addresses of its own."""
        host = Host(name)
        self._count += 1
        host.number = self._count
        plug = f"plug{host.number}"
        with_peer = ["type", "veth", "peer", "eth0", "netns", host.namespace]
        self.run("ip", "link", "add", plug, *with_peer)
        self.run("ip", "link", "set", plug, "master", "wire", "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "address", "add", f"{host.address_6}/64", "dev", "eth0", "nodad")
        host.run("ip", "link", "set", "eth0", "up")
        return host


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
