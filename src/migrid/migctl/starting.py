"""Carrying out what is decided when the application starts, and whenever a move may have ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .. import files
from ..grid.clock import Clock
from ..grid.errors import GridError, RightError
from ..grid.moves.report import GOOD
from ..grid.moves.request import DestroySource
from ..grid.owners.service import Moved
from . import lock_file
from .decision import Act, Decision, Fate, Situation, decide
from .errors import LockFileError, PlaceError
from .grids import Grids, Here
from .lock_file import LOCK, LockFile

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
WAITING = 2.0


class Starting:
    """One application's start. `place` is the directory 3tera of the config volume."""

    def __init__(self, grids: Grids, container: str, place: Path, clock: Clock) -> None:
        self._grids = grids
        self._container = container
        self._place = place
        self._clock = clock
        self._here: Here | None = None

    def here(self) -> Here:
        """Where this application is, which stays so while it runs. Raises PlaceError."""
        if self._here is None:
            self._here = self._grids.find(self._container)
        return self._here

    def run(self, tell: Callable[[str], None]) -> Decision:
        """Look again until nothing is left to wait for, with growing delays where grids do not answer. `tell` gets
        each new reason to wait."""
        delay, told = FIRST_DELAY, ""
        while True:
            decision = self.once()
            if decision.act not in (Act.WAIT, Act.RETRY):
                return decision
            if decision.text != told:
                told = decision.text
                tell(told)
            if decision.act is Act.WAIT:
                delay = FIRST_DELAY
                self._clock.sleep(WAITING)
            else:
                self._clock.sleep(delay)
                delay = min(delay * 2, LONGEST_DELAY)

    def once(self) -> Decision:
        """Decide, and do it, while nobody starts a move. What could not be done is done later: everything may be done
        again."""
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with files.locked(self._place):
            try:
                lock = lock_file.read(self._lock)
            except LockFileError as error:
                return decide(Situation(damaged=True, problem=str(error)))
            known = Situation(lock, unnamed=self._unnamed(lock))
            if lock is None or known.unnamed:
                return decide(known)
            return self._carry_out(lock, *self._look(lock))

    def _look(self, lock: LockFile) -> tuple[Situation, Moved | None]:
        """What the grids say. That one does not answer is part of it."""
        try:
            here = self.here()
        except PlaceError as error:
            return Situation(lock, problem=str(error)), None
        try:
            moved = find_move(lock, self._grids.confirmed(lock.target_grid).moves())
        except GridError as error:
            return Situation(lock, here=here, problem=str(error)), None
        return Situation(lock, here=here, fate=_fate(moved), keep_source=_keeps_source(moved)), moved

    def _carry_out(self, lock: LockFile, now: Situation, moved: Moved | None) -> Decision:
        decision = decide(now)
        try:
            if moved and decision.act in (Act.DISMISS, Act.DESTROY_SOURCE):
                self._write_log(lock, moved.move)
                if decision.act is Act.DESTROY_SOURCE:
                    self._grids.service(lock.source_grid).destroy_left(lock.source_app_name, moved.move)
                self._grids.service(lock.target_grid).dismiss(moved.move)
        except RightError as error:
            return Decision(Act.TELL, f"{decision.text} The source was not removed: {error}")
        except GridError as error:
            return Decision(Act.RETRY, f"{decision.text} What is left of the move is removed later: {error}")
        if decision.act in (Act.FORGET, Act.DISMISS, Act.DESTROY_SOURCE):
            is_source = now.here == Here(lock.source_grid, lock.source_app_name)
            in_vain = is_source and now.fate in (Fate.NONE, Fate.UNDONE)
            (lock_file.go_back if in_vain else lock_file.remove)(self._lock)
        return decision

    def _write_log(self, lock: LockFile, move: str) -> None:
        """The log of the last move, where the owner looks for it. A full volume is no reason to leave the rest."""
        text = self._grids.service(lock.target_grid).log(move)
        with suppress(OSError):
            files.replace(self._place / "log", text.encode(), 0o600)

    def _unnamed(self, lock: LockFile | None) -> tuple[str, ...]:
        named = (lock.source_grid, lock.target_grid) if lock else ()
        return tuple(grid for grid in named if grid not in self._grids.info)

    @property
    def _lock(self) -> Path:
        return self._place / LOCK


def find_move(lock: LockFile, moves: tuple[Moved, ...]) -> Moved | None:
    """The move that the lock speaks of: the one it names, or the latest later one that was asked for so."""
    fits = [found for found in moves if (found.move == lock.move if lock.move else _is_meant(lock, found))]
    return fits[-1] if fits else None


def _is_meant(lock: LockFile, found: Moved) -> bool:
    asked = found.request
    aim = (asked.source_grid, asked.app, asked.target_grid, asked.target_app, asked.action)
    meant = (lock.source_grid, lock.source_app_name, lock.target_grid, lock.target_app_name, lock.action)
    return aim == meant and found.move > lock.after


def _fate(moved: Moved | None) -> Fate:
    if moved is None:
        return Fate.NONE
    if not moved.finished or moved.report is None:
        return Fate.GOES_ON
    return Fate.DONE if moved.report.result in GOOD else Fate.UNDONE


def _keeps_source(moved: Moved | None) -> bool:
    return moved is not None and moved.request.destroy_source is DestroySource.KEEP
