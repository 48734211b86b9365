"""Ports of the loopback address, and waiting for who listens there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def wait_until(condition: Callable[[], Any]) -> Any:
    """Ask until the answer is true; the last answer after 20 seconds."""
    deadline = time.monotonic() + 60
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer
