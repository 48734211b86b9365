"""Applications as plain data, for modules and for JSON. Of properties there are the names: values may be secrets."""

from __future__ import annotations

from typing import Any

from ..application import Container, Port, Tree, TreeKind
from ..sides import Right
from .standing import Observed, Standing, explained, standing
from .verbs import Information


def application(observed: Observed) -> dict[str, Any]:
    """One application in short."""
    word = standing(observed)
    gone, lock = observed.right.right is Right.GONE, observed.lock
    return {
        "name": observed.name,
        "state": word.value,
        "explanation": explained(observed),
        "managed": observed.managed,
        "arrived_by": (observed.record and observed.record.arrived_by) or "",
        "move": lock.move if lock else "",
        "move_source_grid": lock.source_grid if lock else "",
        "move_source_app": lock.source_app_name if lock else "",
        "move_target_grid": lock.target_grid if lock else "",
        "moved_to_grid": observed.right.target_grid if gone else "",
        "moved_to_app": observed.right.target_app if gone else "",
        "running": word is not Standing.MOVED and observed.running,
        "containers": [_container(item) for item in observed.containers],
    }


def information(found: Information) -> dict[str, Any]:
    """One application with all that it has."""
    definition = found.observed.definition
    return {
        **application(found.observed),
        "directory": str(definition.directory) if definition else "",
        "files": [str(path) for path in definition.files] if definition else [],
        "properties": list(found.own_properties),
        "properties_of_the_grid": list(found.grid_properties),
        "volumes": [_volume(tree) for tree in found.trees if tree.kind is TreeKind.VOLUME],
        "seconds": dict(found.seconds),
    }


def ports(observed: Observed) -> list[str]:
    """The published ports, such as `8080/tcp`."""
    every = {port for container in observed.containers for port in container.ports}
    return [_port(port) for port in sorted(every, key=lambda port: (port.host_port, port.protocol, port.host_address))]


def _container(item: Container) -> dict[str, Any]:
    return {
        "name": item.name,
        "service": item.service,
        "state": item.state,
        "health": item.health,
        "image": item.image,
        "restart_policy": item.restart_policy,
        "ports": [_port(port) for port in item.ports],
    }


def _volume(tree: Tree) -> dict[str, Any]:
    return {"name": tree.name, "location": tree.location, "external": tree.external}


def _port(port: Port) -> str:
    address = f"{port.host_address}:" if port.host_address not in ("", "0.0.0.0", "::") else ""  # noqa: S104
    return f"{address}{port.host_port}/{port.protocol}"
