"""Hooks: commands of an application that run at certain points of a move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from ..application import Container, Definition, Hook, HookPoint
from ..compose.wishes import wishes
from ..engine import Engine
from ..errors import HookError
from ..sides import Lock


def environment(lock: Lock, source_address: str, target_address: str) -> dict[str, str]:
    """What hooks find in their environment."""
    return {
        "MIG_MOVE": lock.move,
        "MIG_ACTION": lock.action.value,
        "MIG_SOURCE_GRID": lock.source_grid,
        "MIG_SOURCE_ADDRESS": source_address,
        "MIG_TARGET_GRID": lock.target_grid,
        "MIG_TARGET_ADDRESS": target_address,
        "MIG_TARGET_APP": lock.target_app_name,
    }


def run(engine: Engine, definition: Definition, point: HookPoint, environment: Mapping[str, str]) -> None:
    """Run the hooks of a point one after the other. Raises HookError when a required one failed."""
    containers = engine.containers(definition.name)
    for hook in wishes(engine.resolve(definition)).hooks:
        if hook.point is point and hook.required:
            _run(engine, containers, hook, environment)
        elif hook.point is point:
            with suppress(HookError):
                _run(engine, containers, hook, environment)


def _run(engine: Engine, containers: Sequence[Container], hook: Hook, environment: Mapping[str, str]) -> None:
    found = [item for item in containers if item.service == hook.service and item.running]
    if not found:
        raise HookError(f"The {hook.point.value} hook needs service {hook.service}, of which no container runs.")
    engine.run(found[0].id, hook.command, environment, hook.timeout)
