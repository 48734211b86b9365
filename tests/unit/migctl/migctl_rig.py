"""MIGCTL in an application on model grids. Its config volume is the application's volume `store`, so that moves carry
the lock file along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_grid import ModelGrid
from owned_grids import OwnedGrids, Pipe, finished

from migrid.grid.clock import SystemClock
from migrid.grid.moves.monitored import MonitorSecrets
from migrid.grid.owners.remote import ADVICE, RemoteService
from migrid.grid.owners.service import Moved
from migrid.grid.state import Peer
from migrid.migctl import lock_file
from migrid.migctl.grid_info import Address, GridEntry
from migrid.migctl.grids import Grids
from migrid.migctl.migration import Migration
from migrid.migctl.properties import Mode

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"


class CountingClock(SystemClock):
    """A clock that does not sleep, and remembers for how long it was to; `then` is called each time."""

    def __init__(self, then: Callable[[int], None] = lambda _: None) -> None:
        self.slept: list[float] = []
        self._then = then

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._then(len(self.slept))


@dataclass
class Inside:
    """MIGCTL inside an application, as it is on one grid."""

    migration: Migration
    place: Path
    services: dict[str, Any]

    @property
    def lock(self) -> lock_file.LockFile | None:
        return lock_file.read(self.place / "lock")

    def wait(self, grid: str, move: str) -> Moved:
        """The move to a grid, when it is over."""
        return finished(self.services[grid], move)


def inside(
    grids: OwnedGrids,
    grid: ModelGrid,
    app: str = "shop",
    clock: SystemClock | None = None,
    mode: Mode = Mode.BOTH,
    app_config: Mapping[str, str] | None = None,
    container: str = "",
    secrets: MonitorSecrets | None = None,
) -> Inside:
    """MIGCTL as a new process of the application would find everything. Other `services` may be put in their place."""
    info = {
        each.name: GridEntry(
            each.name,
            Address(f"{each.name}.example.org", 22),
            HOST_KEY,
            monitor="127.0.0.1",
            app_config=app_config or {},
        )
        for each in (grids.a, grids.b)
    }
    services: dict[str, Any] = {each.name: grids.service(each) for each in (grids.a, grids.b)}
    place = grid.engine().place(f"{app}_store") / "3tera"
    own = container or grids.container(grid, app)
    migration = Migration(Grids(info, services), own, place, clock or SystemClock(), mode, lambda: secrets)
    return Inside(migration, place, services)


def dead_service(grids: OwnedGrids, name: str, first: str = ":") -> RemoteService:
    """A grid that does not answer: what OpenSSH's client does then. `first` is run before each time."""
    return RemoteService(Pipe(name, Peer("192.0.2.1"), grids.place, ADVICE, ("sh", "-c", f"{first}; exit 255")))
