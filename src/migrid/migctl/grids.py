"""The grids of grid_info, asked with the key of the application's owner."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from .. import files
from ..grid.errors import GridError, RefusedError, UnknownError, UnreachableError
from ..grid.owners.remote import ADVICE, RemoteService
from ..grid.owners.service import GridFacts, Service
from ..grid.peers.channels import Way
from ..grid.state import Peer
from .errors import MigctlError, PlaceError
from .grid_info import GridEntry, GridInfo

Answer = TypeVar("Answer")

REST = 5.0
"""A grid that does not answer is not asked again for so many times as long as it took to find that out."""


@dataclass(frozen=True)
class Here:
    """Where this application is: the grid, and its name there."""

    grid: str
    app: str


@dataclass(frozen=True)
class Answers(Generic[Answer]):
    """What all grids said, and why those said nothing that did not; by name."""

    said: Mapping[str, Answer] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Silence:
    """Why a grid did not answer, and until when it is left alone, on the clock of the grids."""

    error: UnreachableError
    until: float


class Grids:
    """The grids, by name. Each is asked with its own service. `clock` gives seconds."""

    def __init__(
        self, info: GridInfo, services: Mapping[str, Service], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.info = info
        self._services = services
        self._clock = clock
        self._confirmed: set[str] = set()
        self._silent: dict[str, _Silence] = {}

    def entry(self, grid: str) -> GridEntry:
        """Raises UnknownError."""
        if grid not in self.info:
            raise UnknownError(f"grid_info names no grid {grid}; there are {', '.join(self.info)}.")
        return self.info[grid]

    def service(self, grid: str) -> Service:
        """Raises UnknownError."""
        return self._services[self.entry(grid).name]

    def facts(self, grid: str) -> GridFacts:
        """What a grid says of itself. Raises RefusedError when it is another one than grid_info says."""
        facts = self.service(grid).facts()
        if facts.grid != grid:
            raise RefusedError(f"What grid_info calls {grid} calls itself {facts.grid}; correct the name in grid_info.")
        self._confirmed.add(grid)
        return facts

    def confirmed(self, grid: str) -> Service:
        """The service of a grid that has said at least once that it is the one that grid_info says. Raises as `facts`
        does."""
        if grid not in self._confirmed:
            self.facts(grid)
        return self.service(grid)

    def ask(self, question: Callable[[str], Answer]) -> Answers[Answer]:
        """Ask all grids at once, but for those that did not answer a while ago: a page that shows them is loaded often,
        and a host that is off makes each wait for ten seconds."""
        with ThreadPoolExecutor(len(self.info)) as pool:
            asked = {grid: pool.submit(self._ask, question, grid) for grid in self.info}
        said, silent = {}, {}
        for grid, answer in asked.items():
            try:
                said[grid] = answer.result()
            except GridError as error:
                silent[grid] = str(error)
        return Answers(said, silent)

    def _ask(self, question: Callable[[str], Answer], grid: str) -> Answer:
        began = self._clock()
        if (silence := self._silent.get(grid)) and began < silence.until:
            raise silence.error
        try:
            return question(grid)
        except UnreachableError as error:
            now = self._clock()
            self._silent[grid] = _Silence(error, now + REST * (now - began))
            raise

    def find(self, container: str) -> Here:
        """Where the container is: where a grid says that it has it. Raises PlaceError when none does."""
        answers = self.ask(lambda grid: self._whose(grid, container))
        found = [Here(grid, app) for grid, app in answers.said.items() if app]
        if len(found) == 1:
            return found[0]
        if found:
            named = " and ".join(here.grid for here in found)
            raise PlaceError(f"{named} both say that they have this container; one of them is not what it says.")
        silent = "".join(f"\n  {grid}: {why}" for grid, why in answers.silent.items())
        none = (
            f"No grid has this container as an application of its owner's: {', '.join(answers.said) or 'none answers'}."
        )
        raise PlaceError(f"{none}{silent}")

    def _whose(self, grid: str, container: str) -> str:
        return self.confirmed(grid).whose(container)


def connect(info: GridInfo, key: Path, directory: Path) -> dict[str, RemoteService]:
    """A service for each grid. The directory gets what OpenSSH needs: a copy of the key that nobody else can read, and
    the host keys. Raises MigctlError when there is no key, OSError when the directory cannot be written to."""
    try:
        content = key.read_bytes().rstrip(b"\n") + b"\n"
    except OSError as error:
        raise MigctlError(f"{key} cannot be read: {error.strerror}. It is the private key of the owner.") from error
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(directory / "id_ed25519", content, 0o600)
    known = "".join(f"{entry.name} {entry.host_key}\n" for entry in info.values())
    files.replace(directory / "known_hosts", known.encode(), 0o600)
    return {entry.name: RemoteService(_way(entry, directory)) for entry in info.values()}


def _way(entry: GridEntry, directory: Path) -> Way:
    return Way(entry.name, Peer(entry.controller.host, entry.controller.port, entry.user), directory, ADVICE)
