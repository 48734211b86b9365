"""A Docker Engine behind the seam of `engine.Engine`, through the command `docker`."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ..application import Container, Definition, Finding, Image, Tree, TreeKind
from ..at_once import at_once
from ..engine import EngineInfo
from ..errors import DefinitionError, EngineError, HookError
from ..volumes.client import Mover
from . import info as docker_info
from . import inspect as docker_inspect
from . import mover as docker_mover
from . import volumes as docker_volumes
from .cli import ALL_PROFILES, QUESTION, WORK, DockerCli, TimedOutError, compose_arguments, said
from .examine import Examination
from .images import can_be_given, copy_archive, familiar, is_id, layers_to_leave_out
from .inspect import PROJECT, Data

RUN = Path("/run/migrid")
STATE = Path("/var/lib/migrid/grid")
_STOP_TIMEOUT = 10  # seconds, the engine's own default
_KEPT_LINES = 12
_VARIABLE = re.compile(r"\$\$|\$\{?([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)


class DockerEngine:
    """The engine that the command `docker` talks to.

    `helper_image` is the image of movers. `state` and `run` are directories that exist under the same path on the
    engine's host and here: a receiver's memory, and the sockets of movers.
    """

    def __init__(
        self, helper_image: str = "", state: Path = STATE, run: Path = RUN, cli: DockerCli | None = None
    ) -> None:
        self.cli = cli or DockerCli()
        self.helper_image = helper_image
        self._state = state
        self._run = run
        self._acting: set[tuple[str, int]] = set()

    def info(self) -> EngineInfo:
        return docker_info.read_info(self.cli, self.helper_image)

    def references(self) -> Mapping[str, str]:
        return docker_info.references(self.cli)

    def volume_names(self) -> tuple[str, ...]:
        return docker_info.volume_names(self.cli)

    def free_bytes(self) -> int:
        return docker_info.free_bytes(self.cli, self.helper_image)

    def projects(self) -> Mapping[str, Definition]:
        members: dict[str, list[Data]] = {}
        for item in self._inspected(PROJECT):
            members.setdefault(docker_inspect.labels(item)[PROJECT], []).append(item)
        return {project: docker_inspect.definition(project, items) for project, items in sorted(members.items())}

    def resolve(self, definition: Definition) -> Mapping[str, object]:
        output = self._config(definition, "--format", "json")
        # Compose doubles each dollar, so that its output can be read again as a Compose file.
        model: dict[str, object] = json.loads(output.replace("$$", "$"))
        return model

    def variables(self, definition: Definition) -> tuple[str, ...]:
        """The names of the variables that the definition reads. Compose's own list leaves out those in lists."""
        text = self._config(definition, "--no-interpolate", "--format", "json")
        return tuple(sorted({match[1] for match in _VARIABLE.finditer(text) if match[1]}))

    def containers(self, project: str) -> tuple[Container, ...]:
        lasting = [item for item in self._of(project) if not docker_inspect.is_one_off(item)]
        signals = at_once(partial(self._signals, item) for item in lasting)
        found = map(docker_inspect.container, lasting, signals)
        return tuple(sorted(found, key=lambda item: (item.service, item.number)))

    def trees(self, definition: Definition, model: Mapping[str, object]) -> tuple[Tree, ...]:
        project = Tree("project", TreeKind.DIRECTORY, str(definition.directory))
        return (project, *docker_volumes.volumes(self.cli, model, self._of(definition.name)))

    def images(self, containers: Iterable[Container]) -> tuple[Image, ...]:
        users: dict[tuple[str, str], list[str]] = {}
        for container in containers:
            users.setdefault((container.image_id, container.image), []).append(container.service)
        known = {item["Id"]: item for item in self.cli.inspect("image", (image for image, _ in users))}
        return tuple(
            docker_inspect.image(known[image], reference if is_id(reference) else familiar(reference), services)
            for (image, reference), services in sorted(users.items())
            if image in known
        )

    def examine(self, definition: Definition, model: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What this engine knows of an application that a move would lose or change."""
        return Examination(self.cli, definition, model, self._of(definition.name)).findings()

    def start(self, definition: Definition) -> None:
        self._up(definition, definition.services, "--no-recreate")

    def build(self, definition: Definition) -> None:
        self.cli.run(*_compose(definition), "build", "--quiet", *definition.services, timeout=WORK)
        pull = ("pull", "--quiet", "--policy", "missing", "--ignore-buildable")
        self.cli.run(*_compose(definition), *pull, *definition.services, timeout=WORK)

    def apply(self, definition: Definition, anew: Collection[str] = ()) -> None:
        self._up(definition, definition.services, "--remove-orphans")
        if anew:
            self._up(definition, sorted(anew), "--force-recreate", "--no-deps")

    def stop(self, project: str, timeout: float | None) -> None:
        seconds = () if timeout is None else ("-t", str(round(timeout)))
        members = [item for item in self._of(project) if docker_inspect.is_running(item)]
        longest = max([timeout or 0, *(item["Config"].get("StopTimeout") or _STOP_TIMEOUT for item in members)])
        for wave in docker_inspect.stop_waves(members):
            self.cli.run("stop", *seconds, *wave, timeout=longest + QUESTION)

    def kill(self, project: str) -> None:
        running = [item["Id"] for item in self._of(project) if docker_inspect.is_running(item)]
        if running:
            self.cli.run("stop", "-t", "0", *running)

    def set_restart_policies(self, policies: Mapping[str, str]) -> None:
        present = {item["Id"] for item in self.cli.inspect("container", policies)}
        for policy in sorted({policies[container] for container in present}):
            ids = sorted(container for container in present if policies[container] == policy)
            self.cli.run("update", "--restart", policy, *ids)

    def remove(self, project: str) -> None:
        members = [item["Id"] for item in self._of(project)]
        if members:
            self.cli.run("rm", "--force", "--volumes", *members, timeout=WORK)
        networks = self.cli.lines("network", "ls", "--quiet", "--filter", f"label={PROJECT}={project}")
        unused = [item["Id"] for item in self.cli.inspect("network", networks) if not item.get("Containers")]
        if unused:
            self.cli.run("network", "rm", *unused)

    def make_tree(self, tree: Tree) -> None:
        if tree.kind is TreeKind.DIRECTORY:
            docker_volumes.make_directory(tree)
        else:
            docker_volumes.make_volume(self.cli, tree, self.helper_image)

    def remove_tree(self, tree: Tree) -> None:
        if tree.kind is TreeKind.DIRECTORY:
            docker_volumes.remove_directory(tree)
        else:
            docker_volumes.remove_volume(self.cli, tree)

    def run(self, container: str, command: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:
        # A variable that is only named gets its value from the environment of `docker`: no process list shows it.
        named = [word for name in environment for word in ("--env", name)]
        what = f"The command {command[0]!r} in container {container[:12]}"
        try:
            outcome = self.cli.try_("exec", *named, container, *command, timeout=timeout, environment=environment)
        except TimedOutError:
            raise HookError(f"{what} did not end within {timeout:g} seconds; it may still be at work there.") from None
        if outcome.status:
            words = said("\n".join(f"{outcome.output}\n{outcome.errors}".splitlines()[-_KEPT_LINES:]))
            raise HookError(f"{what} failed with exit status {outcome.status}: {words or 'it printed nothing'}")

    def save_images(self, images: Sequence[str], known_layers: frozenset[str], stream: BinaryIO) -> None:
        """The archive has no references: the engine that loads it would take one from an image of its own."""
        found = {name: item for name in images for item in self.cli.inspect("image", [name])}
        missing = [name for name in images if name not in found]
        if missing:
            raise EngineError(f"The image {missing[0]} is not on this grid; build it, pull it, or load it.")
        layers = [item["RootFS"].get("Layers") or () for item in found.values()]
        left_out = layers_to_leave_out(layers, known_layers)
        _save(self.cli, dict.fromkeys(item["Id"] for item in found.values()), left_out, stream)

    def load_images(self, stream: BinaryIO) -> None:
        self.cli.feed(stream, "load", "--quiet")

    def tag_image(self, image: str, reference: str) -> None:
        """A reference by digest or by id cannot be given: the application's override names such an image by its id."""
        if can_be_given(reference):
            self.cli.run("tag", image, reference)

    def remove_images(self, images: Sequence[str]) -> None:
        used = {item["Image"] for item in self._inspected()}
        for item in self.cli.inspect("image", images):
            if item["Id"] not in used:
                self._remove_image(item)

    def mover(self, name: str, trees: Sequence[Tree], writable: bool) -> Mover:
        place = docker_mover.Place(name, self.helper_image, self._run / name, self._state / "moves" / name)
        return docker_mover.start(self.cli, place, trees, writable)

    def movers(self) -> frozenset[str]:
        return docker_mover.present(self.cli)

    def remove_mover(self, name: str) -> None:
        place = docker_mover.Place(name, self.helper_image, self._run / name, self._state / "moves" / name)
        docker_mover.remove(self.cli, place)

    def _inspected(self, label: str = "") -> list[dict[str, Any]]:
        """All containers; only those with the label, if one is given."""
        chosen = ("--filter", f"label={label}") if label else ()
        return self.cli.inspect("container", self.cli.lines("ps", "--all", "--quiet", "--no-trunc", *chosen))

    def _of(self, project: str) -> list[dict[str, Any]]:
        """All containers of a project, those of `docker compose run` included."""
        return self._inspected(f"{PROJECT}={project}")

    def _signals(self, data: Data) -> docker_inspect.Signals | None:
        """The signals of a container's first process, as long as it is not known to act on the one that stops it."""
        key = (data["Id"], data["State"].get("Pid") or 0)
        if not key[1] or data["HostConfig"].get("Init") or key in self._acting:
            return None
        outcome = self.cli.try_("top", data["Id"], "-o", docker_inspect.TOP_COLUMNS)
        signals = docker_inspect.signals_of(outcome.output, key[1]) if not outcome.status else None
        if signals and not docker_inspect.ignores_stop_signal(data, signals):
            self._acting.add(key)
        return signals

    def _config(self, definition: Definition, *options: str) -> str:
        outcome = self.cli.try_(*compose_arguments(definition, *ALL_PROFILES), "config", *options)
        if outcome.status:
            raise DefinitionError(
                f"Compose cannot use the definition of {definition.name} in {definition.directory}:"
                f" {said(outcome.errors)}"
            )
        return outcome.output

    def _up(self, definition: Definition, services: Sequence[str], *options: str) -> None:
        """Services of which none is named are all of the definition that have no profile."""
        scale = [
            f"{service}={count}" for service, count in definition.scale.items() if not services or service in services
        ]
        scaled = [word for pair in scale for word in ("--scale", pair)]
        up = ("up", "--detach", "--no-build", "--pull", "never", *options, *scaled)
        self.cli.run(*_compose(definition), *up, *services, timeout=WORK)

    def _remove_image(self, data: Data) -> None:
        """Remove an image by all its names. That others are built on it, or that a container was just made, is no
        error."""
        outcome = self.cli.try_("image", "rm", *(data.get("RepoTags") or [data["Id"]]))
        if outcome.status and not any(sign in outcome.errors.lower() for sign in ("conflict", "no such image")):
            raise EngineError(f"Cannot remove image {data['Id'][:19]}: {said(outcome.errors)}")


def _compose(definition: Definition) -> list[str]:
    """`docker compose` for work on the services of the definition. Those with profiles only exist when named."""
    return compose_arguments(definition, "--progress", "quiet", *(ALL_PROFILES if definition.services else ()))


def _save(cli: DockerCli, ids: Iterable[str], left_out: frozenset[str], stream: BinaryIO) -> None:
    broken: tarfile.TarError | None = None
    with cli.reading("save", *ids) as archive:
        try:
            copy_archive(archive, stream, left_out)
        except tarfile.TarError as error:
            broken = error  # if the engine failed, its own words are raised when the stream is closed
    if broken:
        raise EngineError(f"The engine's archive of images is not complete: {broken}")
