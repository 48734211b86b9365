"""Two grids with model engines, and owners who come in through the real gate: by a pipe, or by a real sshd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_grid import ModelGrid, tiny

from migrid.grid.helpers import Helpers
from migrid.grid.model.helpers import ModelHelpers
from migrid.grid.owners.remote import ADVICE, RemoteService
from migrid.grid.owners.service import Moved, Service
from migrid.grid.peers.channels import Way
from migrid.grid.state import Peer

GATE = Path(__file__).with_name("owner_gate.py")
NAMES = ("grid-a", "grid-b")
PATIENCE = 60.0


def gate_command(grid: ModelGrid, owner: str) -> list[str]:
    """What the forced command of an owner's key is in the tests."""
    path = ":".join(filter(None, sys.path))
    return ["env", f"PYTHONPATH={path}", sys.executable, str(GATE), str(grid.root), owner]


@dataclass(frozen=True)
class Pipe(Way):
    """A way to the gate without SSH in between."""

    forced: tuple[str, ...] = ()

    def command(self, word: str) -> list[str]:
        return ["env", f"SSH_ORIGINAL_COMMAND={word}", *self.forced]


class OwnedGrids:
    """grid-a has `shop`, which is ada's, `blog`, which is bob's, and `wiki`, which is nobody's. grid-b is empty."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.a, self.b = (ModelGrid(name, place / name) for name in NAMES)
        self._services: list[RemoteService] = []
        for grid, other in ((self.a, self.b), (self.b, self.a)):
            theirs = {"ada": ["shop"], "bob": ["blog"]} if grid is self.a else {"ada": [], "bob": []}
            owners = {
                name: {"applications": applications, "properties": ["TINY_GREETING"]}
                for name, applications in theirs.items()
            }
            grid.build({other.name: other.root}, owners=owners)
        for app in ("shop", "blog", "wiki"):
            tiny(place / "sources" / app)
            done = self.a.mig_grid("provision", app, str(place / "sources" / app), "--start")
            assert done.returncode == 0, done.stderr

    def service(self, grid: ModelGrid, owner: str = "ada") -> RemoteService:
        """A grid as an owner meets it."""
        way = Pipe(grid.name, Peer("127.0.0.1"), self.place, ADVICE, tuple(gate_command(grid, owner)))
        self._services.append(RemoteService(way))
        return self._services[-1]

    def close(self) -> None:
        for service in self._services:
            service.close()
        for grid in (self.a, self.b):
            self._end_helpers(ModelHelpers(grid.state), grid)

    def container(self, grid: ModelGrid, app: str) -> str:
        return grid.engine().containers(app)[0].id

    def runs(self, app: str) -> set[str]:
        """The grids on which it runs."""
        return {grid.name for grid in (self.a, self.b) if grid.engine().runs(app)}

    def _end_helpers(self, helpers: Helpers, grid: ModelGrid) -> None:
        for path in (grid.state.root / "helpers").glob("*.json"):
            helpers.remove(path.stem)


def finished(service: Service, move: str) -> Moved:
    """The move when nothing of it is left to do."""
    since = 0.0
    while True:
        news = service.news(move, since, PATIENCE)
        since = news.since
        found = next(each for each in service.moves() if each.move == move)
        if found.finished:
            return found


@contextmanager
def owned_grids(place: Path) -> Iterator[OwnedGrids]:
    grids = OwnedGrids(place)
    try:
        yield grids
    finally:
        grids.close()
