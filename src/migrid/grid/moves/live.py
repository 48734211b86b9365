"""A move as those see it who follow it: what is new, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .. import names, units
from ..clock import Clock
from ..errors import UnknownError
from ..helper import request_of
from ..state import State
from . import monitored, progress, report
from .phases import Phase
from .progress import MoveProgress
from .report import Report

POLL = 0.2
_COPYING = (Phase.IMAGES, Phase.PRECOPY, Phase.DELTA, Phase.VERIFY)
_BEFORE_THE_STOP = (Phase.PRECOPY, Phase.STOP)


@dataclass(frozen=True)
class News:
    """How far a move is. `since` is what to ask with next; there is a `report` when nothing more will come. Its
    `monitor` answers at this HOST:PORT, if it has one."""

    move: str
    progress: MoveProgress | None
    report: Report | None
    since: float
    monitor: str = ""

    @property
    def finished(self) -> bool:
        """Whether the move has ended and nothing of it is left to do."""
        return self.report is not None and not self.report.left_to_do

    @property
    def line(self) -> str:
        """One line about now; empty when nothing is known yet."""
        return "  ".join(_parts(self.progress)) if self.progress else ""


def news(state: State, move: str, since: float, wait: float, clock: Clock) -> News:
    """What is new of a move after `since`, at the latest after `wait` seconds. Raises UnknownError."""
    directory = state.move_directory(names.move(move))
    if not directory.is_dir():
        raise UnknownError(f"There is no move {move} on this grid; `mig-grid moves` lists those to it.")
    deadline = clock.time() + wait
    while True:
        now, ended = progress.read(directory), report.read(directory)
        moment = now.time if now else 0.0
        found = News(move, now, ended, moment, monitored.place_of(directory))
        if found.finished or moment > since or clock.time() >= deadline:
            return found
        clock.sleep(POLL)


def latest(state: State, app: str) -> str:
    """The latest move to this grid that brings, or brought, the application. Raises UnknownError."""
    for move in reversed(state.moves()):
        asked = request_of(state, move)
        if asked and app in (asked.app, asked.target_app):
            return move
    raise UnknownError(f"No move has brought {app} to this grid; `mig-grid moves` lists those there were.")


def _parts(now: MoveProgress) -> Iterator[str]:
    yield f"{now.phase.value.replace('_', ' ')}{f' round {now.round}' if now.round and _copies(now) else ''}"
    if now.going_back:
        yield "going back"
    if now.waiting_for:
        yield f"waiting: {now.waiting_for}"
    if _copies(now) and now.bytes:
        yield from _copying(now)
    if now.predicted_downtime_seconds is not None and not now.going_back and now.phase in _BEFORE_THE_STOP:
        yield f"predicted downtime {units.seconds(now.predicted_downtime_seconds)}"


def _copying(now: MoveProgress) -> Iterator[str]:
    if now.total_bytes:
        yield f"{units.size(now.bytes)} of {units.size(now.total_bytes)} ({now.bytes / now.total_bytes:.0%})"
    else:
        yield units.size(now.bytes)
    if now.rate:
        yield f"{units.size(now.rate)}/s"
    if now.eta_seconds is not None:
        yield f"{units.seconds(now.eta_seconds)} to go"


def _copies(now: MoveProgress) -> bool:
    return now.phase in _COPYING
