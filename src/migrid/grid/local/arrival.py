"""What a move makes on the grid that an application comes to, and which ports it finds there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..application import Application, Finding, Level, Port, Tree, TreeKind
from ..docker.images import can_be_given, familiar
from ..engine import EngineInfo
from ..errors import DefinitionError
from ..sides import Action, Forward, Lock

FILE = "arrival.json"
"""The name of an arrival's file in the directory of its move."""

FORWARDER = "mig_forward_"
"""How the names of containers begin that forward for an application which moved away."""


@dataclass(frozen=True)
class Arrival:
    """What a move makes on the target, written down before it is made.

    `trees` are those here; the volumes among `made` did not exist before. `ports` are those that Compose publishes
    here. `forwards` were answered here for the application that comes back.
    """

    lock: Lock
    application: Application
    trees: tuple[Tree, ...]
    made: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
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
            f"{_end(who)}, or give the application another port in app_config of the target grid.",
        )
        for port in ports
        for address, number, protocol, who in info.published
        if (number, protocol) == (port.host_port, port.protocol)
        and who != own
        and (not address or not port.host_address or address == port.host_address)
    )


def _end(who: str) -> str:
    """How to end what has a port."""
    forwarder = f"container {FORWARDER}"
    return f"Run `mig-grid unforward {who.removeprefix(forwarder)}`" if who.startswith(forwarder) else "End that"


def check_volumes(arriving: Arrival, model: Mapping[str, Any]) -> None:
    """Compose must look for each volume where it arrived. Raises DefinitionError."""
    declared = model.get("volumes") or {}
    for tree in arriving.trees:
        called = (declared.get(tree.name) or {}).get("name", tree.location)
        if tree.kind is TreeKind.VOLUME and called != tree.location:
            raise DefinitionError(
                f"Volume {tree.name} arrived as {tree.location}, but with the properties of this grid the Compose file"
                f" calls it {called}. Take the property that its name comes from out of app_config."
            )


def obstacles(arriving: Arrival, model: Mapping[str, Any], info: EngineInfo) -> tuple[Finding, ...]:
    """What has come in the way since preflight; a copy is not started, and needs no ports."""
    lock = arriving.lock
    ports = port_findings(published(model), info, lock.target_app_name) if lock.action is Action.MIGRATE else ()
    return (*_lost_images(arriving, info), *ports)


def _lost_images(arriving: Arrival, info: EngineInfo) -> Iterator[Finding]:
    """Somebody may have removed what was brought."""
    for image in arriving.application.images:
        if can_be_given(image.reference) and familiar(image.reference) not in info.images:
            yield Finding(
                "images",
                Level.BLOCKS,
                f"{image.reference} came to this grid and is not here any more.",
                "Start the move again.",
            )
