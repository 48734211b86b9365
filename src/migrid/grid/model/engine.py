"""An engine with real files and no containers: what the fault tests run on.

Volumes are directories, containers are entries of a file. A container that runs does nothing but be seen: by `Monitor`,
which is told of every start and stop, and by whoever asks for its state. Faults are what tests set in `Faults`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ..application import Container, Definition, Image, Port, Tree, TreeKind
from ..clock import Clock, SystemClock
from ..engine import EngineInfo
from ..errors import EngineError, HookError
from . import compose as model_compose
from . import state as model_state
from .mover import ModelMover
from .state import Content, Member, Volume, changed, comes_back, new_container

PROJECT = "com.docker.compose.project"
VOLUME = "com.docker.compose.volume"
KILLED = 137


class Monitor(Protocol):
    """Somebody who is told what runs. `engine` tells engines apart."""

    def started(self, engine: str, project: str) -> None: ...

    def stopped(self, engine: str, project: str) -> None: ...


class Unwatched:
    """Nobody looks."""

    def started(self, engine: str, project: str) -> None: ...

    def stopped(self, engine: str, project: str) -> None: ...


@dataclass
class Faults:
    """What goes wrong. `space` is how many bytes may still come, `away_until` a time, `taken` are ports of others."""

    space: int | None = None
    taken: set[int] = field(default_factory=set)
    exits: bool = False
    never_healthy: bool = False
    failing_commands: set[str] = field(default_factory=set)
    away_until: float = 0.0


class ModelEngine:
    """`engine.Engine` in a directory. `spend` is called with the seconds that a stop and a start take."""

    def __init__(self, directory: Path, clock: Clock | None = None, monitor: Monitor | None = None) -> None:
        self.directory = directory
        self.name = directory.name
        self.faults = Faults()
        self.copy_on_write = False
        self.start_seconds = self.stop_seconds = 0.0
        self.health_seconds = 0.5
        self.spend: Callable[[float], None] = lambda _: None
        self._movers: dict[str, ModelMover] = {}
        self.commands: list[tuple[str, ...]] = []
        self._clock: Clock = clock or SystemClock()
        self._monitor: Monitor = monitor or Unwatched()
        self._waking = False
        self._path = directory / "engine.json"
        (directory / "volumes").mkdir(parents=True, exist_ok=True)
        self._content = model_state.load(self._path)

    def add_image(self, image: Image) -> None:
        """As if it had been built here."""
        content = self._present()
        images, references = {**content.images, image.id: image}, {**content.references, image.reference: image.id}
        self._save(replace(content, images=images, references=references))

    def restart(self, seconds: float) -> None:
        """Die at once, and be back after some seconds."""
        for project in sorted(self._running()):
            self._monitor.stopped(self.name, project)
        self.break_movers()
        self._movers.clear()
        self.faults.away_until = self._clock.time() + seconds
        self._waking = True

    def hang_up_movers(self) -> None:
        """Let all movers lose the connections that they have."""
        for mover in self._movers.values():
            mover.hang_up()

    def break_movers(self) -> None:
        """Let all movers die, and the sessions with them."""
        for mover in self._movers.values():
            mover.die()

    def info(self) -> EngineInfo:
        content = self._present()
        return EngineInfo(
            version="26.1.5",
            api_version="1.45",
            compose_version="2.26.1",
            architecture="amd64",
            os="linux",
            storage_driver="model",
            free_bytes=self.free_bytes(),
            memory_bytes=1 << 30,
            copy_on_write=self.copy_on_write,
            keeps_layers=True,
            layers=tuple(sorted({layer for image in content.images.values() for layer in image.layers})),
            published=tuple(self._published(content)),
            subnets={},
            container_names=tuple(sorted(member.container.name for member in content.members)),
            volumes=tuple(sorted(content.volumes)),
            images=content.references,
        )

    def references(self) -> Mapping[str, str]:
        return self._present().references

    def volume_names(self) -> tuple[str, ...]:
        return tuple(sorted(self._present().volumes))

    def free_bytes(self) -> int:
        self._present()
        return shutil.disk_usage(self.directory).free if self.faults.space is None else self.faults.space

    def projects(self) -> Mapping[str, Definition]:
        content = self._present()
        return {member.project: content.definitions[member.project] for member in content.members}

    def resolve(self, definition: Definition) -> Mapping[str, object]:
        return model_compose.resolve(definition)

    def containers(self, project: str) -> tuple[Container, ...]:
        found = [self._as_seen(member.container) for member in self._of(project)]
        return tuple(sorted(found, key=lambda item: (item.service, item.number)))

    def trees(self, definition: Definition, model: Mapping[str, object]) -> tuple[Tree, ...]:
        content = self._present()
        declared: Mapping[str, Any] = model.get("volumes") or {}  # type: ignore[assignment]
        volumes = [
            _tree(key, content.volumes[wanted["name"]], external=bool(wanted.get("external")))
            for key, wanted in sorted(declared.items())
            if wanted["name"] in content.volumes
        ]
        return (Tree("project", TreeKind.DIRECTORY, str(definition.directory)), *volumes)

    def images(self, containers: Iterable[Container]) -> tuple[Image, ...]:
        known, users = self._present().images, list(containers)
        return tuple(
            replace(known[identity], services=tuple(item.service for item in users if item.image_id == identity))
            for identity in sorted({item.image_id for item in users})
            if identity in known
        )

    def start(self, definition: Definition) -> None:
        self._present()
        model = self.resolve(definition)
        self._refuse_start(model)
        self.spend(self.start_seconds)
        self._make_project(definition, model)
        was_running = definition.name in self._running()
        self._update(definition.name, self._started)
        if not was_running and definition.name in self._running():
            self._monitor.started(self.name, definition.name)

    def build(self, definition: Definition) -> None:
        self._present()
        self.resolve(definition)

    def apply(self, definition: Definition, anew: Collection[str] = ()) -> None:  # noqa: ARG002
        self.kill(definition.name)
        self.remove(definition.name)
        self.start(definition)

    def stop(self, project: str, timeout: float | None) -> None:  # noqa: ARG002
        self._present()
        self.spend(self.stop_seconds)
        self._end(project, exit_code=0)

    def kill(self, project: str) -> None:
        self._present()
        self._end(project, KILLED)

    def set_restart_policies(self, policies: Mapping[str, str]) -> None:
        content = self._present()
        members = (
            changed(member, restart_policy=policies[member.container.id]) if member.container.id in policies else member
            for member in content.members
        )
        self._save(replace(content, members=tuple(members)))

    def remove(self, project: str) -> None:
        content = self._present()
        if project in self._running():
            self._monitor.stopped(self.name, project)
        self._save(
            replace(
                content,
                members=tuple(member for member in content.members if member.project != project),
                networks={name: owner for name, owner in content.networks.items() if owner != project},
                definitions={name: found for name, found in content.definitions.items() if name != project},
            )
        )

    def make_tree(self, tree: Tree) -> None:
        content = self._present()
        if tree.kind is TreeKind.DIRECTORY:
            Path(tree.location).mkdir(mode=0o700, parents=True, exist_ok=True)
            return
        present = content.volumes.get(tree.location)
        if present and present.labels != tree.labels:
            raise EngineError(f"There is a volume {tree.location} on this grid already.")
        self._place(tree.location).mkdir(exist_ok=True)
        made = Volume(tree.location, tree.driver, dict(tree.driver_options), dict(tree.labels))
        self._save(replace(content, volumes={**content.volumes, tree.location: made}))

    def remove_tree(self, tree: Tree) -> None:
        content = self._present()
        path = Path(tree.location) if tree.kind is TreeKind.DIRECTORY else self._place(tree.location)
        shutil.rmtree(path, ignore_errors=True)
        if tree.kind is TreeKind.VOLUME:
            left = {name: volume for name, volume in content.volumes.items() if name != tree.location}
            self._save(replace(content, volumes=left))

    def run(self, container: str, command: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:  # noqa: ARG002
        self._present()
        self.commands.append(tuple(command))
        if command[0] in self.faults.failing_commands:
            raise HookError(f"The command {command[0]!r} in container {container[:12]} failed with exit status 1.")

    def save_images(self, images: Sequence[str], known_layers: frozenset[str], stream: BinaryIO) -> None:  # noqa: ARG002
        known = self._present().images
        model_state.write_images(stream, [known[identity] for identity in images])

    def load_images(self, stream: BinaryIO) -> None:
        content, came = self._present(), model_state.read_images(stream)
        if self.faults.space is not None and self.faults.space < sum(image.size for image in came):
            raise EngineError("No space left on device.")
        self._save(replace(content, images={**content.images, **{image.id: image for image in came}}))

    def tag_image(self, image: str, reference: str) -> None:
        content = self._present()
        if image not in content.images:
            raise EngineError(f"No such image: {image}")
        self._save(replace(content, references={**content.references, reference: image}))

    def remove_images(self, images: Sequence[str]) -> None:
        content = self._present()
        gone = set(images) - {member.container.image_id for member in content.members}
        self._save(
            replace(
                content,
                images={key: image for key, image in content.images.items() if key not in gone},
                references={name: key for name, key in content.references.items() if key not in gone},
            )
        )

    def mover(self, name: str, trees: Sequence[Tree], writable: bool) -> ModelMover:  # noqa: ARG002
        self._present()
        if name not in self._movers or self._movers[name].dead:
            places = {
                tree.name: Path(tree.location) if tree.kind is TreeKind.DIRECTORY else self._place(tree.location)
                for tree in trees
            }
            self._movers[name] = ModelMover(places, self.faults)
        return self._movers[name]

    def movers(self) -> frozenset[str]:
        return frozenset(self._movers)

    def remove_mover(self, name: str) -> None:
        self._present()
        mover = self._movers.pop(name, None)
        if mover:
            mover.die()

    def place(self, volume: str) -> Path:
        """Where the files of a volume are."""
        return self._place(volume)

    def _place(self, volume: str) -> Path:
        return self.directory / "volumes" / volume

    def _present(self) -> Content:
        """What there is, if the engine answers. One that comes back does what Docker does."""
        if self._clock.time() < self.faults.away_until:
            raise EngineError(f"Cannot connect to the engine of {self.name}.")
        if self._waking:
            self._waking = False
            self._wake()
        return self._content

    def _wake(self) -> None:
        self._content = model_state.load(self._path)
        members = [
            self._started(member) if comes_back(member) else _ended(member, KILLED) for member in self._content.members
        ]
        self._save(replace(self._content, members=tuple(members)))
        for project in sorted(self._running()):
            self._monitor.started(self.name, project)

    def look(self) -> None:
        """Let time have its effect: an engine that is due comes back."""
        if self._waking and self._clock.time() >= self.faults.away_until:
            self._present()

    def runs(self, project: str) -> bool:
        """Whether the application runs at this moment."""
        self.look()
        return not self._waking and project in self._running()

    def _save(self, content: Content) -> None:
        self._content = content
        model_state.save(self._path, content)

    def _of(self, project: str) -> list[Member]:
        return [member for member in self._present().members if member.project == project]

    def _running(self) -> set[str]:
        return {member.project for member in self._content.members if member.container.running}

    def _update(self, project: str, change: Callable[[Member], Member]) -> None:
        members = (change(member) if member.project == project else member for member in self._content.members)
        self._save(replace(self._content, members=tuple(members)))

    def _started(self, member: Member) -> Member:
        if member.container.running:
            return member
        if self.faults.exits:
            return replace(changed(member, state="exited", exit_code=1), stopped=False)
        return replace(changed(member, state="running", exit_code=0, started_at=self._clock.time()), stopped=False)

    def _end(self, project: str, exit_code: int) -> None:
        was_running = project in self._running()
        self._update(project, lambda member: replace(_ended(member, exit_code), stopped=True))
        if was_running:
            self._monitor.stopped(self.name, project)

    def _as_seen(self, container: Container) -> Container:
        """With the health that there is by now."""
        if not container.running or not container.health:
            return container
        due = self._clock.time() - container.started_at >= self.health_seconds and not self.faults.never_healthy
        return replace(container, health="healthy" if due else "starting")

    def _published(self, content: Content) -> Iterator[tuple[str, int, str, str]]:
        for member in content.members:
            if member.container.running:
                for port in member.container.ports:
                    yield port.host_address, port.host_port, port.protocol, f"container {member.container.name}"
        for number in sorted(self.faults.taken):
            yield "", number, "tcp", "a process of the host"

    def _refuse_start(self, model: Mapping[str, Any]) -> None:
        project = model["name"]
        others = replace(
            self._content, members=tuple(member for member in self._content.members if member.project != project)
        )
        taken = {(number, protocol): who for _, number, protocol, who in self._published(others)}
        for service, settings in model["services"].items():
            for port in _ports(service, settings):
                if who := taken.get((port.host_port, port.protocol)):
                    raise EngineError(f"Bind for port {port.host_port} failed: port is already allocated by {who}.")
            if self._image_of(settings["image"]) is None:
                raise EngineError(f"No such image: {settings['image']}")

    def _image_of(self, name: str) -> Image | None:
        """The image with this reference or id."""
        return self._content.images.get(self._content.references.get(name, name))

    def _make_project(self, definition: Definition, model: Mapping[str, Any]) -> None:
        project = definition.name
        volumes = {
            wanted["name"]: Volume(wanted["name"], labels={PROJECT: project, VOLUME: key})
            for key, wanted in model["volumes"].items()
            if wanted["name"] not in self._content.volumes
        }
        for name in volumes:
            self._place(name).mkdir(exist_ok=True)
        content = self._content
        self._save(
            replace(
                content,
                definitions={**content.definitions, project: definition},
                volumes={**content.volumes, **volumes},
                networks={**content.networks, **{found["name"]: project for found in model["networks"].values()}},
            )
        )
        made = {member.container.service for member in self._of(project)}
        for service in definition.services or tuple(model["services"]):
            if service not in made:
                self._make_container(project, service, model["services"][service])

    def _make_container(self, project: str, service: str, settings: Mapping[str, Any]) -> None:
        content, image = self._content, self._image_of(settings["image"])
        if image is None:
            raise EngineError(f"No such image: {settings['image']}")
        made = new_container(project, service, replace(image, reference=settings["image"]), settings)
        member = changed(
            made, health="starting" if settings.get("healthcheck") else "", ports=tuple(_ports(service, settings))
        )
        self._save(replace(content, members=(*content.members, member)))


def _ended(member: Member, exit_code: int) -> Member:
    if not member.container.running:
        return member
    return changed(member, state="exited", exit_code=exit_code)


def _ports(service: str, settings: Mapping[str, Any]) -> Iterator[Port]:
    for port in settings["ports"]:
        yield Port(service, port["target"], port.get("protocol", "tcp"), int(port["published"]))


def _tree(key: str, volume: Volume, external: bool) -> Tree:
    return Tree(
        name=key,
        kind=TreeKind.VOLUME,
        location=volume.name,
        external=external,
        driver=volume.driver,
        driver_options=volume.options,
        labels=volume.labels,
    )
