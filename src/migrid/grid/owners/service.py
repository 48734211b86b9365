"""What a grid does for the owner of applications: every verb of it, and no other.

`local` carries the verbs out on the grid, behind `gate`; `remote` asks them over SSH. All are idempotent: a verb whose
answer got lost is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..helper import Started
from ..moves.live import News
from ..moves.monitored import MonitorSecrets
from ..moves.plan import Plan
from ..moves.report import Report
from ..moves.request import Request

LONGEST_WAIT = 25.0
"""For how many seconds news are waited for at most, so that a connection never looks dead."""


@dataclass(frozen=True)
class GridFacts:
    """What a grid says of itself to an owner, whose `applications` here are named. `time` is its clock, in seconds
    since 1970."""

    grid: str
    address: str
    release: str
    engine: str
    architecture: str
    free_bytes: int
    time: float
    applications: tuple[str, ...]


@dataclass(frozen=True)
class Moved:
    """One move of the owner's to this grid. It is `finished` when nothing of it is left to do. The properties that it
    gave are not among what was asked for: they may be secrets."""

    move: str
    request: Request
    finished: bool
    report: Report | None


class Service(Protocol):
    """A grid, as an owner meets it. `options` are those of `moves.request`, as text."""

    def facts(self) -> GridFacts: ...

    def whose(self, container: str) -> str:
        """The owner's application that the container with this id belongs to; empty if there is none here."""

    def taken(self, app: str) -> str:
        """Why no application of the owner's can come here under this name; empty if one can."""

    def plan(self, options: Mapping[str, str], app_config: Mapping[str, str]) -> Plan:
        """What a move to this grid would do. Raises OptionError, RightError, LockedError."""

    def start(
        self, options: Mapping[str, str], app_config: Mapping[str, str], monitor: MonitorSecrets | None = None
    ) -> Started:
        """Move an application of the owner's here, with these properties over its own, or take up the same move. A new
        one has a monitor if it is given the secrets for one.

        Raises OptionError, LockedError, RightError when the application or a property is not for the owner to give.
        """

    def news(self, move: str, since: float, wait: float) -> News:
        """What is new of a move to this grid after `since`, at the latest after `wait` seconds. Raises UnknownError."""

    def cancel(self, move: str) -> None:
        """Turn a move to this grid back. Raises UnknownError, RefusedError when it is too late."""

    def moves(self) -> tuple[Moved, ...]:
        """The owner's moves to this grid, oldest first."""

    def log(self, move: str) -> str:
        """The end of the log of a move to this grid. Raises UnknownError."""

    def dismiss(self, move: str) -> None:
        """Remove the MigHelper that a move to this grid left behind. Raises UnknownError, LockedError when the move is
        not over."""

    def destroy_left(self, app: str, move: str) -> None:
        """Remove what a move left here of an application that it brought away.

        The grid that it went to is asked first. Raises RightError when that does not say that it arrived by this move,
        to stay.
        """
