"""The two grids of a move as MigHelper sees them: every verb of a move, and no other.

`local.source` and `local.target` carry the verbs out beside an engine; `peers.remote` asks the source at the other end
of an SSH connection whose forced command knows only these verbs. All are idempotent: a verb whose answer got lost is
asked again.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .application import Application, Container, Finding, HookPoint, Image, Port, Tree
from .engine import EngineInfo
from .volumes.client import Channel, Session, Survey

PLAN_LEASE = 900.0
"""For how many seconds a plan may count what there is to copy."""


class Action(enum.Enum):
    """What a move does."""

    MIGRATE = "migrate"  # the application runs on the target, the source is destroyed
    SNAPSHOT = "snapshot"  # a stopped copy on the target, the source runs on


@dataclass(frozen=True)
class Lock:
    """The lock file: the record of a move under way, on both grids. `since` is in seconds since 1970.

    `override` lets it take the place of another move's lock, unless that move has given the right to run away.
    A plan holds the source for at most `lease` seconds; 0 is a move's, which holds it until its end.
    """

    move: str
    action: Action
    source_grid: str
    source_app_name: str
    target_grid: str
    target_app_name: str
    since: float
    override: bool = False
    lease: float = 0.0


class Right(enum.Enum):
    """Who may run an application, as its grid knows it durably."""

    HERE = "here"  # it may run here
    SUSPENDED = "suspended"  # a move stopped it; unless it is released in time, it runs here again
    RELEASED = "released"  # the move gave the right to the target; only the move, or an operator's force, returns it
    GONE = "gone"  # it moved away and was destroyed here; the marker says where to


@dataclass(frozen=True)
class Facts:
    """What a grid says of itself. `time` is its clock, in seconds since 1970."""

    grid: str
    address: str
    time: float
    release: str
    engine: EngineInfo
    applications: tuple[str, ...]


@dataclass(frozen=True)
class Forward:
    """A port of the old address that goes on answering: `port` is sent on to `address`:`target_port`."""

    port: Port
    address: str
    target_port: int


class Source(Protocol):
    """The grid that an application leaves."""

    def facts(self) -> Facts: ...

    def describe(self, app: str) -> Application:
        """Raises UnknownError, DefinitionError."""

    def owner(self, app: str) -> str:
        """Who may move the application besides the operator; empty if nobody, or if there is none of this name."""

    def reaches(self, grid: str) -> str:
        """Try the way to another grid, which forwarding will need; empty text, or why it cannot be reached."""

    def lock(self, lock: Lock) -> None:
        """Raises LockedError with the lock of another move, RightError when the application is gone."""

    def seconds(self, app: str) -> Mapping[str, float]:
        """How long the application took to `stop` and to `start` (until healthy) the last times, where known."""

    def images(self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str]) -> Channel:
        """A channel from which the archive of images can be read."""

    def trees(self, app: str, move: str) -> Channel:
        """A channel to a sender beside the trees of the application."""

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None:
        """Raises HookError when a required one failed."""

    def stop(self, app: str, move: str, timeout: float | None, lease: float) -> None:
        """Take the right to run away durably (Right.SUSPENDED), then stop the application.

        Until `release`, the source starts it again by itself when it has heard nothing of the move for `lease` seconds.
        """

    def keep(self, app: str, move: str, lease: float) -> None:
        """Say that the move goes on. Raises RightError when the source has started the application again."""

    def release(self, app: str, move: str) -> None:
        """Give the right to run to the target, durably. Raises RightError when the source has started it again."""

    def resume(self, app: str, move: str) -> None:
        """Take the right back and start the application again if it ran before. The target has nothing that runs."""

    def forward(self, app: str, move: str, forwards: Sequence[Forward]) -> None:
        """Let the old address go on answering at the ports that the application published, and at no other."""

    def forward_page(self, app: str, move: str, address: str, port: int) -> None:
        """Let the port of the application's page (`x-mig.page`) lead to the monitor of the move, until the application
        runs here again or `forward` replaces it. Does nothing unless the move has stopped the application."""

    def destroy(self, app: str, move: str, target_grid: str, target_app: str) -> None:
        """Remove the application and its data, leaving the marker that says where it went (Right.GONE)."""

    def finish(self, app: str, move: str) -> None:
        """Remove what the move needed here: movers, snapshots, the lock."""


class Target(Protocol):
    """The grid at which an application arrives."""

    def facts(self) -> Facts: ...

    def free_bytes(self) -> int:
        """What is free for the trees of applications."""

    def findings(self, engine: EngineInfo, application: Application, target_app: str) -> tuple[Finding, ...]:
        """What this grid, whose engine was just found to be and have this, says to the arrival: name, volumes,
        containers' names, networks, images, properties."""

    def lock(self, lock: Lock) -> None: ...

    def missing_images(self, images: Sequence[Image]) -> tuple[Image, ...]: ...

    def load_images(
        self, move: str, images: Sequence[Image], channel: Channel, let_pass: Callable[[int], None]
    ) -> None:
        """Take in the archive of the images that are missing here, and let their references name them. `let_pass` is
        told the size of each piece that has come, and may hold up the next."""

    def survey(self, move: str, trees: Sequence[Tree], open_channel: Callable[[], Channel]) -> Survey:
        """Ask the sender of these trees at the other end of a channel what there is; nothing stays here. The channel,
        which the caller closes, is opened while this side gets ready."""

    def provision(self, application: Application, lock: Lock) -> None:
        """Make the project directory, the volumes and the record of the application; nothing that can run."""

    def receive(self, app: str, move: str, open_channel: Callable[[], Channel]) -> Session:
        """A session with the sender at the other end of a channel, into the trees made by `provision`. The channel,
        which the caller closes, is opened while this side gets ready."""

    def rehearse(self, app: str, move: str) -> None:
        """Ask Compose whether what has arrived can be started here. Raises DefinitionError, BlockedError."""

    def start(self, app: str, move: str) -> None:
        """Start the application, whose right to run has been released to this grid. Its ports let nobody in yet."""

    def let_in(self, app: str, move: str) -> None:
        """Let users in at its ports: what they are told from now on lasts."""

    def containers(self, app: str) -> tuple[Container, ...]: ...

    def probe(self, app: str) -> None:
        """Ask the probe's question once. Raises UnhealthyError with the answer."""

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None: ...

    def forwards(self, app: str, source_ports: Sequence[Port]) -> tuple[Forward, ...]:
        """Where each port that the source published is published here."""

    def halt(self, app: str, move: str) -> None:
        """Stop the application so that nothing starts it again. After this the right may be returned to the source."""

    def remove(self, app: str, move: str) -> None:
        """Remove all that `lock`, `load_images`, `provision` and `start` made for this move, and nothing else."""

    def settle(self, app: str, move: str, seconds: Mapping[str, float]) -> None:
        """The application stays: let its record say so and forget the move's own things, movers and lock. `seconds`
        are those that its `stop` and `start` took, for the prediction of the next move."""
