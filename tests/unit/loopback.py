"""Ports of the loopback address, and waiting for who listens there."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

# Below what Linux gives to connections and to servers that ask for any port (net.ipv4.ip_local_port_range): nothing
# else takes one of these between the moment when it is found and the moment when a server listens there.
FIRST, PER_PROCESS = 16000, 1600
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _ports() -> Iterator[int]:
    first = FIRST + WORKER % 10 * PER_PROCESS
    while True:
        yield from range(first, first + PER_PROCESS)


_next = _ports()


def free_port() -> int:
    """Return a port on which nothing listens, another one each time."""
    for port in _next:
        with suppress(OSError), socket.create_server(("", port)):
            return port
    raise AssertionError


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], Any]) -> Any:
    """Ask until the answer is true; the last answer after 60 seconds."""
    deadline = time.monotonic() + 60
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def wait_for_server(process: subprocess.Popen[Any], port: int, log: Path) -> None:
    """Wait until the program accepts connections; when it ends or never does, its log is the error."""
    listens = wait_until(lambda: process.poll() is not None or accepts(port))
    assert listens, log.read_text()
    assert process.poll() is None, log.read_text()


def until(condition: Callable[[], object]) -> None:
    """Wait for it."""
    assert wait_until(condition), "it did not happen"
