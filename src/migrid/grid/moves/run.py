"""One run of a driver through a move: what its steps share."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .. import records
from ..application import Application, HookPoint
from ..clock import Clock
from ..local import hooks
from ..sides import Facts, Lock, Source, Target
from ..volumes.client import Survey
from .control import Control
from .journal import Journal
from .patience import FOREVER, Patience
from .phases import POINT_OF_NO_RETURN, Phase
from .prediction import Habits, Seen
from .progress import NOTHING_COPIED, Progress
from .request import Request

Kind = TypeVar("Kind")

LEASE = 120.0
PATIENCE: Mapping[Phase, float] = {
    Phase.PREFLIGHT: 30.0,
    Phase.LOCK: 30.0,
    Phase.IMAGES: 300.0,
    Phase.PROVISION: 300.0,
    Phase.PRECOPY: 300.0,
    Phase.STOP: LEASE,
    Phase.DELTA: LEASE,
    Phase.RESUME_SOURCE: FOREVER,
    Phase.VERIFY: LEASE,
    Phase.RELEASE: FOREVER,
    Phase.START: LEASE,
    Phase.HEALTHY: LEASE,
    Phase.HAND_OVER: LEASE,
    Phase.DESTROY_SOURCE: LEASE,
    Phase.CLEAN_UP: LEASE,
}
"""For how many seconds a phase waits for a grid that is away. Nobody may guess whether the right was released."""


@dataclass(frozen=True)
class Known:
    """What a move learned in preflight and goes by until its end. `recorded` are the seconds of stop and start; the
    clock here is `skew` seconds ahead of the source's."""

    application: Application
    source: Facts
    target: Facts
    recorded: Mapping[str, float]
    skew: float = 0.0


class Run:
    """The sides, the journal and the wishes of one move, and the verbs with the patience that the phase allows."""

    def __init__(self, request: Request, source: Source, target: Target, directory: Path, clock: Clock) -> None:
        self.request = request
        self.source = source
        self.target = target
        self.directory = directory
        self.clock = clock
        self.journal: Journal
        self.control = Control(directory, request)
        self.progress = Progress(directory, clock)
        self.at_source = Patience(source.facts, clock, self._tell, self.check)
        self.at_target = Patience(target.facts, clock, self._tell, self.check)
        self.at_both = Patience(lambda: (target.facts(), source.facts()), clock, self._tell, self.check)
        self._noted: dict[str, object] = {}
        self.on_wait: Callable[[str], None] = lambda _: None

    @property
    def move(self) -> str:
        return self.directory.name

    @property
    def app(self) -> str:
        return self.request.app

    @property
    def target_app(self) -> str:
        return self.request.target_app

    @property
    def notes(self) -> Mapping[str, Any]:
        return self.journal.position.notes

    @property
    def known(self) -> Known:
        return self.noted("known", Known)

    @property
    def lock(self) -> Lock:
        return self.noted("lock", Lock)

    @property
    def survey(self) -> Survey:
        return self.noted("survey", Survey)

    @property
    def habits(self) -> Habits:
        return self.noted("habits", Habits)

    @property
    def rounds(self) -> list[Seen]:
        """The pre-copy rounds so far, those of earlier drivers included."""
        names = sorted((name for name in self.notes if name.startswith("round ")), key=lambda name: int(name[6:]))
        return [records.from_data(Seen, self.notes[name]) for name in names]

    @property
    def hook_environment(self) -> dict[str, str]:
        return hooks.environment(self.lock, self.known.source.address, self.known.target.address)

    @property
    def may_cancel(self) -> bool:
        """Whether the operator can still turn the move back."""
        position = self.journal.position
        return position.failure is None and POINT_OF_NO_RETURN[self.request.action] not in position.ended

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(str(text) for name, text in self.notes.items() if name.startswith("warning "))

    def has_hooks(self, point: HookPoint) -> bool:
        """Whether there is a hook to run: to ask for nothing takes time, too."""
        return any(hook.point is point for hook in self.known.application.wishes.hooks)

    def noted(self, name: str, kind: type[Kind]) -> Kind:
        """The record that a phase left. A note never changes."""
        if name not in self._noted:
            self._noted[name] = records.from_data(kind, self.notes[name])
        return typing.cast(Kind, self._noted[name])

    def warn(self, text: str) -> None:
        """Say what did not go as it should, now and in the report."""
        self.progress.log(f"warning: {text}")
        if text not in self.warnings:
            self.journal.note(**{f"warning {len(self.warnings)}": text})

    def check(self) -> None:
        """Raises CancelledError when the operator turns the move back."""
        if self.may_cancel:
            self.control.check_cancel()

    def enter(self, phase: Phase) -> None:
        """Have the patience of the phase, and let followers know."""
        self.have_patience(PATIENCE[phase], stubborn=not self.may_cancel)
        self.progress.log(f"{phase.value}: begins")
        self.progress.update(phase=phase, since=self.clock.time(), waiting_for="", **NOTHING_COPIED)

    def have_patience(self, seconds: float, stubborn: bool) -> None:
        """Let what is asked from now on be waited for."""
        for patience in (self.at_source, self.at_target, self.at_both):
            patience.seconds, patience.stubborn = seconds, stubborn

    def _tell(self, text: str) -> None:
        self.progress.log(f"waiting: {text}" if text else "waiting: it answers again")
        self.progress.update(waiting_for=text)
        self.on_wait(text)


def lock_of(request: Request, move: str, now: float) -> Lock:
    """The lock that a move takes on both grids."""
    return Lock(
        move=move,
        action=request.action,
        source_grid=request.source_grid,
        source_app_name=request.app,
        target_grid=request.target_grid,
        target_app_name=request.target_app,
        since=now,
        override=request.override_lock,
    )
