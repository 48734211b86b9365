"""The probe: a question asked from outside, as a user of the application would."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from contextlib import suppress

from ..application import Container, Port, Probe
from ..errors import UnhealthyError

SECONDS = 5.0
MARK = 0x4D4947
"""What the packets of a probe carry, where the kernel lets us: ports that are held let them in."""

_LOCAL = "127.0.0.1"
_REFUSED = 400


def ask(probe: Probe, containers: Sequence[Container]) -> None:
    """Ask once, at the port that is published here. Raises UnhealthyError with the answer."""
    found = [port for container in containers for port in container.ports if _is_meant(port, probe)]
    if not found:
        raise UnhealthyError(f"The probe's port {probe.container_port} of service {probe.service} is not published.")
    host, number = found[0].host_address or _LOCAL, found[0].host_port
    where = f"The probe at port {number}"
    try:
        status = _get(host, number, probe.path) if probe.path else _connect(host, number)
    except (OSError, http.client.HTTPException) as error:
        raise UnhealthyError(f"{where} was not answered: {error}.") from error
    if status >= _REFUSED:
        raise UnhealthyError(f"{where} was answered with status {status}.")


def reach(host: str, port: int) -> str:
    """Try to connect; empty text, or why it is not possible."""
    try:
        _connect(host, port)
    except OSError as error:
        return f"{host}, port {port}: {error.strerror or error}"
    except UnicodeError:
        return f"{host} is no address"
    return ""


def _is_meant(port: Port, probe: Probe) -> bool:
    return (port.service, port.container_port, port.protocol) == (probe.service, probe.container_port, "tcp")


def _connect(host: str, port: int) -> int:
    _marked((host, port)).close()
    return 0


def _get(host: str, port: int, path: str) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.sock = _marked((host, port))
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _marked(address: tuple[str, int]) -> socket.socket:
    """A connection, marked from its first packet on."""
    family, kind, protocol, _, place = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(SECONDS)
        with suppress(PermissionError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection
