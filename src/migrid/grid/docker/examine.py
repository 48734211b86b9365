"""What only a Docker Engine knows of an application that a move would lose or change."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ..application import Definition, Finding, Level
from ..at_once import at_once
from . import mover
from .cli import ALL_PROFILES, DockerCli, compose_arguments, said
from .inspect import PROJECT, Data, is_one_off, is_running, labels

_RECREATED = re.compile(r"Container (?:[0-9a-f]{12}_)?(\S+)\s+Recreate$", re.MULTILINE)
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')
_NOISE = tuple(
    PurePosixPath(path)
    for path in (
        *("/run", "/tmp", "/dev", "/proc", "/sys", "/var/run", "/var/tmp", "/var/cache", "/var/lock"),  # noqa: S108
        *(
            "/etc/hosts",
            "/etc/hostname",
            "/etc/resolv.conf",
            "/etc/mtab",
            "/.dockerenv",
            "/root/.cache",
            "/sbin/docker-init",
            "/usr/sbin/docker-init",
        ),
    )
)
_NOISE_NAMES = ("__pycache__", ".bash_history", ".ash_history", ".python_history")
_SHOWN = 5


@dataclass(frozen=True)
class Examination:
    """An application of this engine. `members` are all containers of its project."""

    cli: DockerCli
    definition: Definition
    model: Mapping[str, Any]
    members: list[dict[str, Any]]

    def findings(self) -> tuple[Finding, ...]:
        checks = (
            self._environment_files,
            self._elsewhere,
            self._changed,
            self._written,
            self._one_offs,
            self._shared_volumes,
            self._forgotten_volumes,
            self._shared_networks,
        )
        return tuple(finding for found in at_once(partial(tuple, check()) for check in checks) for finding in found)

    def _environment_files(self) -> Iterator[Finding]:
        """Compose puts what is in them into the environment of services and forgets where it came from."""
        outcome = self.cli.try_(*self._compose("config"), "--no-interpolate", "--format", "json")
        services = json.loads(outcome.output).get("services") or {} if not outcome.status else {}
        for service, settings in sorted(services.items()):
            for path in environment_files(settings):
                if "$" not in path and not Path(path).is_relative_to(self.definition.directory):
                    text = f"{service} reads its environment from {path}, which is outside of the project directory."
                    remedy = f"Move it into {self.definition.directory}, and name it relative to that."
                    yield Finding("environment_files", Level.BLOCKS, text, remedy)

    def _elsewhere(self) -> Iterator[Finding]:
        """Whether the definition means the same when its directory is in another place, as on the target."""
        with TemporaryDirectory() as parent:
            link = Path(parent, "a", "b", "c", "project")
            link.parent.mkdir(parents=True)
            link.symlink_to(self.definition.directory, target_is_directory=True)
            there = _moved(self.definition, link)
            outcome = self.cli.try_(*compose_arguments(there, *ALL_PROFILES), "config", "--format", "json")
            words = said(outcome.errors).replace(str(link.parent), str(self.definition.directory.parent))
        if outcome.status:
            text = f"The definition needs something outside of {self.definition.directory}: {words}"
            yield Finding("elsewhere", Level.BLOCKS, text, "Move it into the project directory.")
            return
        for path in absolute_paths(json.loads(outcome.output.replace("$$", "$")), self.definition.directory):
            text = f"The definition names {path} by its absolute path, and on the target it will be in another place."
            remedy = f"Name it relative to the project directory: ./{Path(path).relative_to(self.definition.directory)}"
            yield Finding("elsewhere", Level.BLOCKS, text, remedy)

    def _changed(self) -> Iterator[Finding]:
        """Compose itself says which containers it would make anew."""
        options = ("create", "--no-build", "--pull", "never", *self.definition.services)
        outcome = self.cli.try_(*self._compose("--dry-run"), *options)
        for container in dict.fromkeys(_RECREATED.findall(outcome.errors)):
            text = f"The definition has changed since {container} was made; on the target it is made as it is now."
            yield Finding("definition_changed", Level.WARNS, text, "See what changes: docker compose up --dry-run")
        for variable in dict.fromkeys(_UNSET.findall(outcome.errors)):
            text = f"The definition reads the variable {variable}, which is not set; it is empty then."
            yield Finding("variables", Level.WARNS, text, f"Make {variable} a property, or write $${variable}.")

    def _written(self) -> Iterator[Finding]:
        lasting = [item for item in self.members if not is_one_off(item)]
        differences = at_once(partial(self._difference, item) for item in lasting)
        for item, difference in zip(lasting, differences, strict=True):
            paths = written(difference, [mount["Destination"] for mount in item["Mounts"]])
            if paths:
                more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
                text = f"{_name(item)} wrote outside of its volumes: {', '.join(paths[:_SHOWN])}{more}."
                yield Finding("written", Level.WARNS, text, "It does not travel; what is needed belongs in a volume.")

    def _difference(self, item: Data) -> str:
        """What `docker diff` lists. For that the engine compares the container with all of its image, which takes long
        for a large one, although overlay2 keeps what was written in a directory of its own."""
        driver = item.get("GraphDriver") or {}
        upper = Path((driver.get("Data") or {}).get("UpperDir", ""))
        if driver.get("Name") == "overlay2" and upper.is_absolute() and os.access(upper, os.R_OK | os.X_OK):
            return overlay_difference(upper)
        return self.cli.run("diff", item["Id"])

    def _one_offs(self) -> Iterator[Finding]:
        for item in self.members:
            if is_one_off(item) and is_running(item):
                text = f"{_name(item)} was made by `docker compose run`; it is stopped with the application, for good."
                yield Finding("one_offs", Level.WARNS, text, f"Let it end, or remove it: docker rm -f {_name(item)}")

    def _shared_volumes(self) -> Iterator[Finding]:
        """Movers are left out: whether another move holds the application is a matter of its lock."""
        own = {mount["Name"] for item in self.members for mount in item["Mounts"] if mount["Type"] == "volume"}
        for item in self._strangers():
            if mover.LABEL in labels(item):
                continue
            for mount in item["Mounts"]:
                if mount["Type"] == "volume" and mount["Name"] in own:
                    text = f"The volume {mount['Name']} is also mounted by {_name(item)}, which does not belong here."
                    remedy = "Stop that container, or make it a service of the application."
                    yield Finding("shared_volumes", Level.BLOCKS, text, remedy)

    def _forgotten_volumes(self) -> Iterator[Finding]:
        known = {settings["name"] for settings in (self.model.get("volumes") or {}).values()}
        chosen = ("--filter", f"label={PROJECT}={self.definition.name}", "--format", "{{.Name}}")
        for name in sorted(set(self.cli.lines("volume", "ls", *chosen)) - known):
            text = f"The volume {name} belongs to the project, but its definition names it no more; it stays here."
            yield Finding("forgotten_volumes", Level.WARNS, text, f"If nobody needs it: docker volume rm {name}")

    def _shared_networks(self) -> Iterator[Finding]:
        own = {item["Id"] for item in self.members}
        ids = self.cli.lines("network", "ls", "--quiet", "--filter", f"label={PROJECT}={self.definition.name}")
        for network in self.cli.inspect("network", ids):
            for key, endpoint in (network.get("Containers") or {}).items():
                if key not in own:
                    text = (
                        f"{endpoint['Name']} uses the network {network['Name']} and loses contact to the application."
                    )
                    yield Finding("shared_networks", Level.WARNS, text)

    def _strangers(self) -> list[dict[str, Any]]:
        """The running containers of others."""
        own = {item["Id"] for item in self.members}
        ids = [name for name in self.cli.lines("ps", "--quiet", "--no-trunc") if name not in own]
        return self.cli.inspect("container", ids)

    def _compose(self, *options: str) -> list[str]:
        return [*compose_arguments(self.definition, *ALL_PROFILES), *options]


def environment_files(settings: Mapping[str, Any]) -> list[str]:
    """The environment files of a service, in each form that Compose prints."""
    given = settings.get("env_file") or ()
    entries = [given] if isinstance(given, str) else given
    return [entry if isinstance(entry, str) else entry["path"] for entry in entries]


def absolute_paths(model: Mapping[str, Any], directory: Path) -> list[str]:
    """The paths below the directory that are in a model which was resolved in another place."""
    services, files = (model.get("services") or {}).values(), []
    for settings in services:
        files += [mount["source"] for mount in settings.get("volumes") or () if mount["type"] == "bind"]
    for kind in ("secrets", "configs"):
        files += [item["file"] for item in (model.get(kind) or {}).values() if item.get("file")]
    return sorted({path for path in files if Path(path).is_relative_to(directory)})


def overlay_difference(upper: Path) -> str:
    """The upper directory of an overlay as `docker diff` lists it: what was removed is a device 0/0 there. What was
    changed is not told from what was added."""
    found = [Path(place, name) for place, *kinds in os.walk(upper) for kind in kinds for name in kind]
    return "\n".join(f"{_kind(path)} /{path.relative_to(upper)}" for path in sorted(found))


def _kind(path: Path) -> str:
    try:
        status = path.lstat()
    except FileNotFoundError:  # removed a moment ago
        return "D"
    return "D" if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else "A"


def written(listing: str, mounted: list[str]) -> list[str]:
    """The files that `docker diff` lists as added or changed, without mount points, places for what does not last, and
    directories that are only listed for what is in them."""
    changes = [(line[:1], PurePosixPath(line[2:])) for line in listing.splitlines()]
    parents = {parent for _, path in changes for parent in path.parents}
    points = [PurePosixPath(path) for path in mounted]
    kept = [path for kind, path in changes if kind in "AC" and path not in parents and not _is_noise(path)]
    return [str(path) for path in kept if not any(point == path or path in point.parents for point in points)]


def _is_noise(path: PurePosixPath) -> bool:
    return any(path.is_relative_to(noise) for noise in _NOISE) or any(name in path.parts for name in _NOISE_NAMES)


def _moved(definition: Definition, directory: Path) -> Definition:
    """The definition with all that is below its directory named below another."""

    def moved(path: Path) -> Path:
        below = path.is_relative_to(definition.directory)
        return directory / path.relative_to(definition.directory) if below else path

    return dataclasses.replace(
        definition,
        directory=directory,
        files=tuple(map(moved, definition.files)),
        env_files=tuple(map(moved, definition.env_files)),
    )


def _name(container: Data) -> str:
    name: str = container["Name"]
    return name.lstrip("/")
