"""What a move makes on the grid that an application comes to, and which ports it finds there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .application import Application, Finding, Level, Port, Tree
from .engine import EngineInfo
from .sides import Forward, Lock

FILE = "arrival.json"
"""The name of an arrival's file in the directory of its move."""

FORWARDER = "mig_forward_"
"""How the names of containers begin that forward for an application which moved away."""


@dataclass(frozen=True)
class Arrival:
    """What a move makes on the target, written down before it is made.

    `trees` are those here; the volumes among `made` did not exist before. `forwards` were answered here for the
    application that comes back.
    """

    lock: Lock
    application: Application
    trees: tuple[Tree, ...]
    made: tuple[str, ...] = ()
    forwards: tuple[Forward, ...] = ()


def forwards(source_ports: Iterable[Port], here: Iterable[Port], address: str) -> tuple[Forward, ...]:
    """Where each port of the source is published here, where it is."""
    known = {(port.service, port.container_port, port.protocol): port.host_port for port in here}
    pairs = [(port, known.get((port.service, port.container_port, port.protocol))) for port in source_ports]
    return tuple(Forward(port, address, number) for port, number in pairs if number)


def published(model: Mapping[str, Any]) -> tuple[Port, ...]:
    """The host ports that the model asks for by number."""
    return tuple(
        Port(service, int(port["target"]), port.get("protocol", "tcp"), int(port["published"]), port.get("host_ip", ""))
        for service, wanted in model.get("services", {}).items()
        for port in wanted.get("ports") or ()
        if str(port.get("published", "")).isdigit()
    )


def port_findings(ports: Iterable[Port], info: EngineInfo, app: str) -> tuple[Finding, ...]:
    """The ports that somebody else has: not the forwarding for this very application, which ends when it is back."""
    own = f"container {FORWARDER}{app}"
    return tuple(
        Finding(
            "ports",
            Level.BLOCKS,
            f"{port.protocol} port {port.host_port} of service {port.service} is taken by {who}.",
            "End that, or give the application another port in app_config of the target grid.",
        )
        for port in ports
        for address, number, protocol, who in info.published
        if (number, protocol) == (port.host_port, port.protocol)
        and who != own
        and (not address or not port.host_address or address == port.host_address)
    )
