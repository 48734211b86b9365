"""The connections that the kernel remembers, and which of them lead where the properties do not lead any more."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from .addresses import Address, Addresses
from .properties import ClientAddress, Output, Properties
from .rules import LISTENERS, MARKS


@dataclass(frozen=True)
class Flow:
    """A connection, or what is like one. Protocols other than TCP and UDP have a number for a name, and no ports."""

    family: int
    protocol: str
    mark: int
    port: int
    """That of the port switch, which the client meant."""
    server: str
    """Where it leads."""
    server_port: int
    key: bytes
    """By what the kernel knows it."""


def stale(flows: Iterable[Flow], properties: Properties, addresses: Addresses) -> list[Flow]:
    """Those that would be led elsewhere now. One whose output has no known address is kept: it may come back."""
    return [flow for flow in flows if _is_stale(flow, properties.output(flow.protocol, flow.port), addresses)]


def _is_stale(flow: Flow, output: Output, addresses: Addresses) -> bool:
    if not output.address or flow.mark != MARKS[output.client_address]:
        return True
    if output.client_address is ClientAddress.PROXY_PROTOCOL:
        return flow.server_port != LISTENERS[output.name]
    known = addresses.get(output.address, Address())
    expected = known.ipv6 if flow.family == socket.AF_INET6 else known.ipv4
    return bool(expected) and (flow.server, flow.server_port) != (expected, output.out_port or flow.port)
