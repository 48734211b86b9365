"""Moving this application: what the page and the command line do, one service for both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from .. import files
from ..grid.clock import Clock
from ..grid.errors import GridError, LockedError, OptionError, UnknownError, UnreachableError
from ..grid.helper import Started
from ..grid.moves.live import News
from ..grid.moves.monitored import MonitorSecrets
from ..grid.moves.plan import Plan
from ..grid.owners.service import LONGEST_WAIT, GridFacts, Moved
from ..grid.sides import Action
from . import lock_file
from .decision import Decision
from .grids import Answers, Grids, Here
from .lock_file import LOCK, LockFile
from .properties import Mode
from .starting import FIRST_DELAY, LONGEST_DELAY, Starting, find_move

log = logging.getLogger(__name__)

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Wish:
    """What the owner asks for. An empty `app` is the name that it has here; `options` are further ones of a move."""

    grid: str
    app: str = ""
    action: Action = Action.MIGRATE
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A grid that the application could go to: what it says of itself, or why it says nothing."""

    name: str
    facts: GridFacts | None = None
    problem: str = ""


class Migration:
    """The moves of this application. `place` is the directory 3tera of the config volume, where the lock file is;
    `secrets` are those of the monitors of its moves."""

    def __init__(
        self,
        grids: Grids,
        container: str,
        place: Path,
        clock: Clock,
        mode: Mode = Mode.BOTH,
        secrets: Callable[[], MonitorSecrets | None] = lambda: None,
    ) -> None:
        self._grids = grids
        self._place = place
        self._clock = clock
        self._mode = mode
        self._secrets = secrets
        self.starting = Starting(grids, container, place, clock)

    def here(self) -> Here:
        """Where this application is. Raises PlaceError."""
        return self.starting.here()

    def lock(self) -> LockFile | None:
        """The move that this application is in. Raises LockFileError."""
        return lock_file.read(self._lock)

    def targets(self) -> list[Target]:
        """All grids but this one, with what they say. Raises PlaceError."""
        here = self.here().grid
        answers = self._grids.ask(self._grids.facts)
        others = [name for name in self._grids.info if name != here]
        return [Target(name, answers.said.get(name), answers.silent.get(name, "")) for name in others]

    def taken(self, grid: str, app: str) -> str:
        """Why the application cannot have a name on a grid; empty if it can. Raises UnknownError, UnreachableError."""
        return self._grids.service(grid).taken(app)

    def plan(self, wish: Wish, override: bool = False) -> Plan:
        """What a move would do; nothing is changed. Raises OptionError, PlaceError, and what the grid answers."""
        options = _options(self._meant(wish), wish, override)
        return self._grids.service(wish.grid).plan(options, self._grids.entry(wish.grid).app_config)

    def start(self, wish: Wish, override: bool = False) -> Started:
        """Start a move; it goes on without this process. The lock file is written first.

        Raises LockedError when there is a lock file, unless it is to be overridden; OptionError, PlaceError, and what
        the grid answers: then everything is as before, except that after an UnreachableError the lock file stays,
        because the move may have begun.
        """
        lock = self._meant(wish)
        service = self._grids.service(wish.grid)
        options = _options(lock, wish, override)
        with self._locking(override):
            known = service.moves()
            lock = replace(lock, after=known[-1].move if known else "")
            (lock_file.override if self._lock.exists() else lock_file.write)(self._lock, lock)
            try:
                started = service.start(
                    options, self._grids.entry(wish.grid).app_config, self._monitor_secrets(wish.grid)
                )
            except UnreachableError:
                raise
            except GridError:
                lock_file.go_back(self._lock)
                raise
            lock_file.write(self._lock, replace(lock, move=started.move))
        return started

    def under_way(self) -> Moved:
        """The move that the lock file speaks of. Raises UnknownError, LockFileError, UnreachableError."""
        lock = self.lock()
        if lock is None:
            raise UnknownError("No move of this application is under way.")
        found = find_move(lock, self._grids.service(lock.target_grid).moves())
        if found is None:
            raise UnknownError(f"Grid {lock.target_grid} knows nothing of the move that the lock file speaks of.")
        return found

    def moved(self, grid: str, move: str) -> Moved:
        """A move to a grid, under way or over. Raises UnknownError, UnreachableError."""
        for found in self._grids.service(grid).moves():
            if found.move == move:
                return found
        raise UnknownError(f"Grid {grid} knows no move {move} of this owner's.")

    def news(self, grid: str, move: str, since: float, wait: float) -> News:
        """What is new of a move to a grid after `since`, at the latest after `wait` seconds. Raises UnknownError,
        UnreachableError."""
        return self._grids.service(grid).news(move, since, wait)

    def follow(self) -> Iterator[News]:
        """The news of the move under way, until it ends. A grid that does not answer is asked again later. Raises
        UnknownError when no move is under way."""
        found = self._patiently(self.under_way)
        service = self._grids.service(found.request.target_grid)
        since = 0.0
        while True:
            news = self._patiently(service.news, found.move, since, LONGEST_WAIT)
            yield news
            since = news.since
            if news.finished:
                every = self._patiently(service.moves)
                if any(each.finished for each in every if each.move == found.move):
                    return
                self._clock.sleep(FIRST_DELAY)

    def cancel(self) -> None:
        """Turn the move under way back. Raises UnknownError, RefusedError when it is too late."""
        found = self.under_way()
        self._grids.service(found.request.target_grid).cancel(found.move)

    def settle(self) -> Decision:
        """Tidy up after a move that is over; what start-up does, once."""
        return self.starting.once()

    def history(self) -> Answers[tuple[Moved, ...]]:
        """The moves to each grid, and the grids that did not answer."""
        return self._grids.ask(lambda grid: self._grids.service(grid).moves())

    def log(self, grid: str, move: str) -> str:
        """The log of a move to a grid. Raises UnknownError, UnreachableError."""
        return self._grids.service(grid).log(move)

    def _meant(self, wish: Wish) -> LockFile:
        """The lock of what is asked for. Raises OptionError, UnknownError, PlaceError."""
        if not self._mode.allows(wish.action):
            raise OptionError(f"action: the property mode of this application allows {self._mode.value} only.")
        here = self.here()
        if self._grids.entry(wish.grid).name == here.grid:
            raise OptionError(f"target_grid: the application is on {here.grid} already; choose another grid.")
        return LockFile(here.grid, here.app, wish.grid, wish.app or here.app, wish.action)

    def _monitor_secrets(self, grid: str) -> MonitorSecrets | None:
        """With the address of the monitors of a grid. A move without a monitor is better than none."""
        try:
            found = self._secrets()
        except OSError as error:
            log.warning("the move has no monitor: %s", error)
            return None
        return replace(found, address=self._grids.entry(grid).monitor) if found else None

    def _patiently(self, verb: Callable[Asked, Answer], *arguments: Asked.args, **named: Asked.kwargs) -> Answer:
        """What a grid answers, however long it does not."""
        delay = FIRST_DELAY
        while True:
            try:
                return verb(*arguments, **named)
            except UnreachableError:
                self._clock.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)

    @contextmanager
    def _locking(self, override: bool) -> Iterator[None]:
        """Keep others from starting a move too. Raises LockedError when one is under way."""
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.locked(self._place):
            found = None if override else self.lock()
            if found:
                raise LockedError(
                    f"This application is in a move already: {found.action.value} to {found.target_grid} as"
                    f" {found.target_app_name}. Follow it, or override its lock if nobody carries it out any more."
                )
            yield

    @property
    def _lock(self) -> Path:
        return self._place / LOCK


def _options(lock: LockFile, wish: Wish, override: bool) -> dict[str, str]:
    return {
        **({"override_lock": "true"} if override else {}),
        **wish.options,
        "app": lock.source_app_name,
        "source_grid": lock.source_grid,
        "target_grid": lock.target_grid,
        "target_app": lock.target_app_name,
        "action": lock.action.value,
    }
