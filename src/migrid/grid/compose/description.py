"""From what Compose and the engine say of an application to what a move must know of it, and what it is on arrival."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..application import Application, Container, Definition, Finding, Tree, TreeKind
from ..docker.images import can_be_given, familiar
from ..docker.inspect import PROJECT, VOLUME
from ..docker.volumes import MOUNTED, is_anonymous
from ..engine import Engine
from .findings import Subject, findings
from .wishes import wishes

OWNER = "mig.application"
"""The label of volumes that a move made, with the name of the application."""

_DOCKER_LABELS = "com.docker."  # Compose's own, and the mark of anonymous volumes, which `docker volume prune` removes


@runtime_checkable
class Examining(Protocol):
    """An engine that can tell more of an application than the contract asks for."""

    def examine(self, definition: Definition, model: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What a move would lose or change, as far as only the engine knows."""


def describe(engine: Engine, definition: Definition, managed: bool) -> Application:
    """All that a move must know of an application on its source grid. Raises DefinitionError, EngineError."""
    model: Mapping[str, Any] = engine.resolve(definition)
    containers = engine.containers(definition.name)
    existing = as_existing(definition, model, containers)
    subject = Subject(
        definition=existing,
        managed=managed,
        model=model,
        containers=containers,
        trees=engine.trees(existing, model),
        images=engine.images(containers),
        wishes=wishes(model),
    )
    further = engine.examine(existing, model) if isinstance(engine, Examining) else ()
    return Application(
        definition=existing,
        managed=managed,
        model=model,
        containers=containers,
        trees=subject.trees,
        images=subject.images,
        wishes=subject.wishes,
        findings=findings(subject) + further,
        subnets=tuple(subnets(model)),
        container_names=tuple(container_names(subject.services)),
    )


def as_existing(definition: Definition, model: Mapping[str, Any], containers: Iterable[Container]) -> Definition:
    """The definition with what Compose would find by itself: its environment file, the services that have containers,
    and how many these have where the model says less."""
    default = definition.directory / ".env"
    if not definition.env_files and default.is_file():
        definition = dataclasses.replace(definition, env_files=(default,))
    counts = Counter(container.service for container in containers)
    if not counts:
        return definition
    services = model.get("services") or {}
    declared = {service: _declared_count(services.get(service) or {}) for service in counts}
    scale = {service: count for service, count in sorted(counts.items()) if count != 1 or declared[service] != 1}
    return dataclasses.replace(definition, services=tuple(sorted(counts)), scale=scale)


def subnets(model: Mapping[str, Any]) -> list[str]:
    """The fixed addresses of the application's own networks."""
    own = (network for network in (model.get("networks") or {}).values() if network and not network.get("external"))
    pools = (pool for network in own for pool in (network.get("ipam") or {}).get("config") or ())
    return sorted(pool["subnet"] for pool in pools if pool.get("subnet"))


def container_names(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The fixed names of containers."""
    return sorted(settings["container_name"] for settings in services.values() if settings.get("container_name"))


def arriving(application: Application, target_app: str, directory: Path) -> tuple[Tree, ...]:
    """The trees as the target makes them for an application that is called `target_app` there."""
    source = application.definition.name
    return tuple(_arriving(tree, source, target_app, directory) for tree in application.trees)


def relocated(definition: Definition, target_app: str, directory: Path, override: Path, properties: Path) -> Definition:
    """The definition as it is after arrival: the same files, in another place, with those of the target grid."""
    files = [directory / path.relative_to(definition.directory) for path in _inside(definition, definition.files)]
    env_files = [
        directory / path.relative_to(definition.directory) for path in _inside(definition, definition.env_files)
    ]
    return dataclasses.replace(
        definition,
        name=target_app,
        directory=directory,
        files=(*files, override),
        env_files=(*env_files, properties),
    )


def override(
    application: Application, target_app: str, trees: Iterable[Tree], images: Mapping[str, str]
) -> dict[str, Any]:
    """A further Compose file for the application on its target, where the trees are these and references name these
    images.

    It says how volumes are called, mounts those that were anonymous, and names images by id where the reference names
    another there. It also keeps the engine from filling a volume that is empty when a container is made: the image
    would put files back that the application had removed.
    """
    volumes = {tree.name: tree for tree in trees if tree.kind is TreeKind.VOLUME}
    services = {
        service: settings
        for service in application.definition.services
        if (settings := _service(application, service, target_app, volumes, images))
    }
    found: dict[str, Any] = {"services": services, "volumes": {key: _volume(tree) for key, tree in volumes.items()}}
    escaped: dict[str, Any] = _escaped({key: value for key, value in found.items() if value})
    return escaped


def _declared_count(settings: Mapping[str, Any]) -> int:
    deploy = settings.get("deploy") or {}
    return int(settings.get("scale") or deploy.get("replicas") or 1)


def _arriving(tree: Tree, source: str, target_app: str, directory: Path) -> Tree:
    if tree.kind is TreeKind.DIRECTORY:
        return dataclasses.replace(tree, location=str(directory))
    labels = {name: value for name, value in tree.labels.items() if not name.startswith(_DOCKER_LABELS)}
    labels[OWNER] = target_app
    if tree.external:
        return dataclasses.replace(tree, labels=labels)
    labels |= {PROJECT: target_app, VOLUME: tree.name}
    return dataclasses.replace(tree, location=_location(tree, source, target_app), labels=labels)


def _location(tree: Tree, source: str, target_app: str) -> str:
    """A name that Compose or the engine chose follows the application; one that the Compose file gives stays."""
    chosen = is_anonymous(tree) or tree.location == f"{source}_{tree.name}"
    return f"{target_app}_{tree.name}" if chosen else tree.location


def _inside(definition: Definition, paths: Iterable[Path]) -> Iterator[Path]:
    return (path for path in paths if path.is_relative_to(definition.directory))


def _service(
    application: Application, service: str, target_app: str, volumes: Mapping[str, Tree], images: Mapping[str, str]
) -> dict[str, Any]:
    settings = (application.model.get("services") or {}).get(service) or {}
    mounts = {mount["target"]: mount for mount in _mounts(service, settings, volumes)}
    image = _pinned(application, service, settings.get("image") or f"{target_app}-{service}", images)
    return {**({"image": image} if image else {}), **({"volumes": list(mounts.values())} if mounts else {})}


def _mounts(service: str, settings: Mapping[str, Any], volumes: Mapping[str, Tree]) -> Iterator[dict[str, Any]]:
    """The mounts of arriving volumes in a service: those of the model, and those that the image or Compose made."""
    for mount in settings.get("volumes") or ():
        if mount["type"] == "volume" and mount.get("source") in volumes:
            yield {**mount, "volume": {**(mount.get("volume") or {}), "nocopy": True}}
    for tree in volumes.values():
        owner, _, target = tree.labels.get(MOUNTED, "").partition(":")
        if owner == service:
            yield {"type": "volume", "source": tree.name, "target": target, "volume": {"nocopy": True}}


def _pinned(application: Application, service: str, reference: str, images: Mapping[str, str]) -> str:
    """The id of the image that the service runs, if the reference does not name it on the target; else nothing."""
    running = next((container.image_id for container in application.containers if container.service == service), "")
    there = {familiar(name): image for name, image in images.items()}
    named = can_be_given(reference) and there.get(familiar(reference)) == running
    return "" if named else running


def _volume(tree: Tree) -> dict[str, Any]:
    return {"name": tree.location, **({"external": True} if tree.external else {})}


def _escaped(value: Any) -> Any:
    """As Compose reads it back: each dollar doubled."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(item) for item in value]
    return value
