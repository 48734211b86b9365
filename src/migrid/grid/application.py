"""What an application is: a Compose project with its containers, data, images and wishes for a move."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Level(enum.Enum):
    """How much a finding weighs."""

    OK = "ok"
    WARNS = "warns"  # the move is possible, and something will be different afterwards
    BLOCKS = "blocks"  # the move is refused until this is mended


@dataclass(frozen=True)
class Finding:
    """The answer of one preflight check. `check` is its stable name, e.g. `ports`; `remedy` says what to do."""

    check: str
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Definition:
    """How Compose is told about an application. Everything below `directory` belongs to it and travels with it.

    `files` and `env_files` are in the order in which Compose merges them; later ones win. `services` are those that
    exist, whatever their profiles; `scale` has only services with other than one container.
    """

    name: str
    directory: Path
    files: tuple[Path, ...]
    env_files: tuple[Path, ...] = ()
    services: tuple[str, ...] = ()
    scale: Mapping[str, int] = field(default_factory=dict)


class TreeKind(enum.Enum):
    """What a tree of files is."""

    VOLUME = "volume"  # a volume of the engine
    DIRECTORY = "directory"  # the project directory of the application: Compose files, secrets, bind-mounted data


@dataclass(frozen=True)
class Tree:
    """One tree of files that a move copies.

    `name` is the same on both grids and unique in the application: the key of the volume in the Compose file, or
    `project`. `location` is what this grid's engine calls it: the name of the volume, or the absolute path.
    `external` volumes outlive the application. Driver and options are those of the volume.
    """

    name: str
    kind: TreeKind
    location: str
    external: bool = False
    driver: str = "local"
    driver_options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """A published port. `host_address` is empty for all addresses; `protocol` is `tcp` or `udp`."""

    service: str
    container_port: int
    protocol: str
    host_port: int
    host_address: str = ""


@dataclass(frozen=True)
class Container:
    """One container of an application as the engine has it now.

    `state`: created, running, paused, restarting, exited, dead. `health`: healthy, unhealthy, starting, or empty when
    there is no health check. `restart_policy` is in the engine's words: no, always, unless-stopped, on-failure[:N].
    `ignores_term` is true when PID 1 is known neither to handle SIGTERM nor to die of it. `started_at` is in seconds
    since 1970, 0 if it never ran.
    """

    id: str
    name: str
    service: str
    number: int
    image_id: str
    image: str
    state: str
    health: str = ""
    exit_code: int = 0
    restart_policy: str = "no"
    restart_count: int = 0
    ignores_term: bool = False
    started_at: float = 0.0
    ports: tuple[Port, ...] = ()

    @property
    def running(self) -> bool:
        return self.state in ("running", "paused", "restarting")


@dataclass(frozen=True)
class Image:
    """An image that containers of the application run. `layers` are the uncompressed digests, base first."""

    id: str
    reference: str
    services: tuple[str, ...]
    layers: tuple[str, ...]
    size: int
    architecture: str
    os: str = "linux"


class HookPoint(enum.Enum):
    """When a hook runs, and where."""

    PRE_STOP = "pre_stop"  # on the source, before it is stopped
    POST_RESUME = "post_resume"  # on the source, when it runs again after a snapshot or a rollback
    POST_START = "post_start"  # on the target, started and not yet asked for its health
    HAND_OVER = "hand_over"  # on the target, healthy: the place for a change of DNS


@dataclass(frozen=True)
class Hook:
    """A command that runs in a container of `service`. It gets MIG_MOVE, MIG_ACTION, MIG_SOURCE_GRID,
    MIG_SOURCE_ADDRESS, MIG_TARGET_GRID, MIG_TARGET_ADDRESS and MIG_TARGET_APP in its environment.
    `timeout` is in seconds. A failed hook that is `required` fails the move."""

    point: HookPoint
    service: str
    command: tuple[str, ...]
    timeout: float = 30.0
    required: bool = True


@dataclass(frozen=True)
class Probe:
    """A question asked from outside, at a published port of the target, that must be answered before the source gives
    way: an HTTP GET of `path` with an answer below 400, or, without a path, an accepted TCP connection."""

    service: str
    container_port: int
    path: str = ""


@dataclass(frozen=True)
class Page:
    """The published port, by what it is in the container of `service`, that leads to MIGCTL's page."""

    service: str
    container_port: int


@dataclass(frozen=True)
class Wishes:
    """What the Compose file says about moves, in `x-mig` and in labels that begin with `mig.`.

    `health_timeout` is in seconds. `present_everywhere` lists bind-mounted paths outside the project directory that
    the operator has on every grid.
    """

    hooks: tuple[Hook, ...] = ()
    probe: Probe | None = None
    health_timeout: float = 120.0
    present_everywhere: tuple[str, ...] = ()
    page: Page | None = None


@dataclass(frozen=True)
class Application:
    """All that a move must know of an application on its source grid.

    `model` is what `docker compose config` makes of the definition. `findings` name what cannot travel or will be
    different: bind mounts outside of the project directory, devices, what containers wrote outside of their volumes,
    a Compose file changed since the containers were made, and so on. `subnets` are fixed network addresses.
    `properties` are those that it was provisioned with, without what app_config gives it on its grid. `owner` is who
    may move it besides the operator, and `arrived_by` the move that brought it to stay; both may be empty. `app_config`
    is what its owner gives it on the grid that it goes to.
    """

    definition: Definition
    managed: bool
    model: Mapping[str, Any]
    containers: tuple[Container, ...]
    trees: tuple[Tree, ...]
    images: tuple[Image, ...]
    wishes: Wishes
    findings: tuple[Finding, ...] = ()
    subnets: tuple[str, ...] = ()
    container_names: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    arrived_by: str = ""
    app_config: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def running(self) -> bool:
        return any(container.running for container in self.containers)

    @property
    def ports(self) -> tuple[Port, ...]:
        return tuple(port for container in self.containers for port in container.ports)
