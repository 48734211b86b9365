"""A network with a client, a port switch and services, as an application has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from namespaces import Host, Wire
from servers import Client, Server
from switches import RIGHTS, PortSwitch, Start


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.remove()


@pytest.fixture(scope="session")
def connect(wire: Wire) -> Iterator[Callable[[str], Host]]:
    """New hosts on the wire."""
    hosts: list[Host] = []

    def connect(name: str) -> Host:
        hosts.append(wire.connect(name))
        return hosts[-1]

    yield connect
    for host in hosts:
        host.remove()


@pytest.fixture(scope="session")
def client(connect: Callable[[str], Host]) -> Client:
    return Client(connect("client"))


@pytest.fixture(scope="session")
def services(connect: Callable[[str], Host]) -> Iterator[dict[str, Host]]:
    """The services of the application. Each listens on the same ports; `mail` wants to be told of the client."""
    hosts = {name: connect(name) for name in ("web", "other", "rest", "mail")}
    servers = [Server(host, 53, 80, 443, 8000, 8005, 8080, proxied=name == "mail") for name, host in hosts.items()]
    yield hosts
    for server in servers:
        server.close()


@pytest.fixture
def start(connect: Callable[[str], Host], services: dict[str, Host], tmp_path: Path) -> Iterator[Start]:
    """Starts port switches that know the services by their names; more names can be given."""
    started: list[PortSwitch] = []

    def start(rights: tuple[str, ...] = RIGHTS, names: dict[str, str] | None = None, **properties: str) -> PortSwitch:
        known = {name: host.address for name, host in services.items()} | (names or {})
        host = connect("ps8")
        started.append(PortSwitch(host, tmp_path / str(host.number), properties, known, rights))
        return started[-1]

    yield start
    for switch in started:
        switch.stop()
