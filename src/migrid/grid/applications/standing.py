"""How an application stands on a grid, from what the grid remembers and what its engine has now."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..application import Container, Definition
from ..sides import Lock, Right
from ..state import Record, RightRecord


class Standing(enum.Enum):
    """The word for an operator."""

    RUNNING = "running"  # every container runs, and those that tell are healthy
    STARTING = "starting"  # a health check has not answered yet
    UNHEALTHY = "unhealthy"  # a health check says no, or a container ended badly
    PARTLY = "partly running"
    STOPPED = "stopped"
    MOVING = "moving"  # a move holds it
    MOVED = "moved away"
    INTERRUPTED = "interrupted"  # no move holds it any more, and it has no right to run here yet


@dataclass(frozen=True)
class Observed:
    """All that is known of one application here. `definition` is None when there is only the marker of one that moved
    away, or nothing at all."""

    name: str
    record: Record | None = None
    right: RightRecord = field(default_factory=RightRecord)
    lock: Lock | None = None
    definition: Definition | None = None
    containers: tuple[Container, ...] = ()

    @property
    def known(self) -> bool:
        return self.definition is not None or self.lock is not None or self.right.right is Right.GONE

    @property
    def managed(self) -> bool:
        return self.record is not None and self.record.managed

    @property
    def up(self) -> bool:
        """Whether it runs, and all of its containers do what they are there for."""
        return self.running and all(map(_up, self.containers))

    @property
    def running(self) -> bool:
        return any(container.running for container in self.containers)


def standing(observed: Observed) -> Standing:
    """The one word for an application."""
    if observed.lock:
        return Standing.MOVING
    if observed.right.right is Right.GONE:
        return Standing.MOVED
    if observed.right.right is not Right.HERE or (observed.record and not observed.record.settled):
        return Standing.INTERRUPTED
    return _of_containers(observed)


def explained(observed: Observed) -> str:
    """The same with where to, or by which move."""
    word = standing(observed)
    if word is Standing.MOVED:
        return f"moved away to {observed.right.target_grid} as {observed.right.target_app}"
    if word is Standing.MOVING and observed.lock:
        return moving(observed.lock)
    if word is Standing.INTERRUPTED:
        return f"held by the move {observed.right.move or (observed.record and observed.record.arrived_by)}"
    return str(word.value)


def sentence(observed: Observed) -> str:
    """The same as a sentence without its full stop."""
    verb = "" if standing(observed) is Standing.MOVED else "is "
    return f"{observed.name} {verb}{explained(observed)}"


def moving(lock: Lock) -> str:
    """What the move that holds an application is about."""
    return f"held by the move {lock.move} ({lock.action.value} to {lock.target_grid} as {lock.target_app_name})"


def restart_policies(model: Mapping[str, Any], containers: tuple[Container, ...]) -> dict[str, str]:
    """The restart policies that the Compose file asks for, of those containers that have another, by their ids."""
    services = model.get("services", {})
    wanted = {container.id: _policy(services.get(container.service, {})) for container in containers}
    return {item.id: wanted[item.id] for item in containers if item.restart_policy != wanted[item.id]}


def _of_containers(observed: Observed) -> Standing:
    if not observed.running:
        return Standing.STOPPED
    if any(container.health == "unhealthy" or _failed(container) for container in observed.containers):
        return Standing.UNHEALTHY
    if not observed.up:
        return Standing.STARTING if all(map(_on_its_way, observed.containers)) else Standing.PARTLY
    return Standing.RUNNING


def _up(container: Container) -> bool:
    return (container.state == "running" and container.health in ("", "healthy")) or _done(container)


def _on_its_way(container: Container) -> bool:
    return _up(container) or container.health == "starting"


def _done(container: Container) -> bool:
    """Whether it was there to do something once, and did."""
    once = container.restart_policy == "no" or container.restart_policy.startswith("on-failure")
    return container.state == "exited" and container.exit_code == 0 and once


def _failed(container: Container) -> bool:
    return container.state in ("dead", "restarting") or (container.state == "exited" and container.exit_code != 0)


def _policy(service: Mapping[str, Any]) -> str:
    if service.get("restart"):
        return str(service["restart"])
    policy = service.get("deploy", {}).get("restart_policy")
    if not policy:
        return "no"
    condition, attempts = policy.get("condition") or "any", policy.get("max_attempts")
    if condition == "on-failure":
        return f"on-failure:{attempts}" if attempts else "on-failure"
    return "no" if condition == "none" else "unless-stopped"
