"""What the grid that an application comes to says to the arrival. Pure, but for what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

from ..application import Application, Finding, Level, TreeKind
from ..compose import description as compose
from ..compose import properties
from ..docker.images import familiar
from ..engine import EngineInfo
from ..sides import Right
from ..state import State, read_json
from .arrival import FILE, Arrival


def findings(info: EngineInfo, state: State, application: Application, target_app: str) -> tuple[Finding, ...]:
    """What stands in the way of the application here, or will be different."""
    return (
        *_name(state, target_app),
        *_volumes(info, state, application, target_app),
        *_container_names(info, application, target_app),
        *_subnets(info, application, target_app),
        *_references(info, application),
        *_properties(state, application, target_app),
    )


def _name(state: State, app: str) -> Iterator[Finding]:
    record, right = state.record(app), state.right(app)
    if record and right.right is Right.GONE:
        yield Finding(
            "name",
            Level.BLOCKS,
            f"The copy of {app} that was kept here when it moved to {right.target_grid} is still here.",
            f"Remove it with `mig-grid destroy {app}`, or choose another target_app.",
        )


def _volumes(info: EngineInfo, state: State, application: Application, target_app: str) -> Iterator[Finding]:
    """What a move that is not over made is the matter of the lock."""
    record = state.record(target_app)
    unsettled = record.arrived_by if record and not record.settled else None
    earlier = read_json(Arrival, state.move_directory(unsettled) / FILE) if unsettled else None
    taken = set(info.volumes) - {tree.location for tree in (earlier.trees if earlier else ())}
    for tree in compose.arriving(application, target_app, Path("/")):
        if tree.kind is TreeKind.VOLUME and tree.location in taken:
            yield Finding(
                "volumes",
                Level.BLOCKS,
                f"There is a volume {tree.location} on this grid already, and a move overwrites nothing.",
                f"Remove it if nobody needs it: docker volume rm {tree.location}",
            )


def _container_names(info: EngineInfo, application: Application, target_app: str) -> Iterator[Finding]:
    for name in application.container_names:
        if name in info.container_names:
            yield Finding(
                "container_names",
                Level.BLOCKS,
                f"There is a container {name} on this grid already, and {target_app} gives one this name.",
                "Remove that container, or take container_name out of the Compose file.",
            )


def _subnets(info: EngineInfo, application: Application, target_app: str) -> Iterator[Finding]:
    for wanted in application.subnets:
        for taken, network in info.subnets.items():
            if _overlap(wanted, taken) and not network.startswith(f"{target_app}_"):
                yield Finding(
                    "subnets",
                    Level.BLOCKS,
                    f"The fixed network {wanted} overlaps {taken} of network {network} on this grid.",
                    "Give the application another subnet by a property in app_config, or remove that network.",
                )


def _references(info: EngineInfo, application: Application) -> Iterator[Finding]:
    for image in application.images:
        if info.images.get(familiar(image.reference), image.id) != image.id:
            yield Finding(
                "images",
                Level.WARNS,
                f"{image.reference} names another image on this grid; the application goes on with its own, by id.",
            )


def _properties(state: State, application: Application, target_app: str) -> Iterator[Finding]:
    here = properties.here(application.app_config, state.configuration().app_config.get(target_app, {}))
    changed = sorted(name for name, value in here.items() if application.properties.get(name) != value)
    if changed:
        yield Finding(
            "properties", Level.WARNS, f"app_config for this grid gives the application other {', '.join(changed)}."
        )


def _overlap(one: str, other: str) -> bool:
    try:
        first, second = ip_network(one, strict=False), ip_network(other, strict=False)
    except ValueError:
        return False
    return first.version == second.version and first.overlaps(second)
