"""A move as one line from the source application over MigHelper to the target application. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...grid import units
from ...grid.moves.live import News
from ...grid.moves.phases import ITINERARIES, POINT_OF_NO_RETURN, Phase
from ...grid.moves.progress import MoveProgress
from ...grid.moves.report import GOOD, Report, Result
from ...grid.moves.request import Request
from ...grid.sides import Action, Forward

_WORDS: Mapping[Phase, str] = {
    Phase.PREFLIGHT: "Asking both grids whether all is in order",
    Phase.LOCK: "Locking the application on both grids",
    Phase.IMAGES: "Copying the images",
    Phase.PROVISION: "Making room on the target grid",
    Phase.PRECOPY: "Copying the data while the application runs",
    Phase.STOP: "Stopping the application",
    Phase.DELTA: "Copying what changed since",
    Phase.RESUME_SOURCE: "Starting the application again",
    Phase.VERIFY: "Proving that the copy is the same",
    Phase.RELEASE: "Giving the right to run to the target grid",
    Phase.START: "Starting the application",
    Phase.HEALTHY: "Waiting until it is healthy",
    Phase.HAND_OVER: "Leading users of the old address to the new one",
    Phase.DESTROY_SOURCE: "Removing the application from the old grid",
    Phase.CLEAN_UP: "Removing locks and helpers",
}
_AT_SOURCE = (Phase.PREFLIGHT, Phase.LOCK, Phase.IMAGES, Phase.PROVISION, Phase.PRECOPY, Phase.STOP)
_AT_HELPER = (Phase.DELTA, Phase.RESUME_SOURCE, Phase.VERIFY, Phase.RELEASE)
_WORTH_SAYING = 0.05
_COPYING = (Phase.IMAGES, Phase.PRECOPY, Phase.DELTA, Phase.VERIFY)


class State(enum.Enum):
    """Where a step, or all of a lane, is."""

    DONE = "done"
    NOW = "now"
    FAILED = "failed"
    TO_DO = "to do"


@dataclass(frozen=True)
class Step:
    """One phase. `note` is how long it took, or how far it is; `share` how much of it is done, from 0 to 1."""

    text: str
    state: State
    note: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Lane:
    """One of the three meters: where something is done, and its steps."""

    title: str
    place: str
    steps: tuple[Step, ...]

    @property
    def share(self) -> float:
        return sum(step.share for step in self.steps) / len(self.steps)

    @property
    def state(self) -> State:
        states = [step.state for step in self.steps]
        for state in (State.FAILED, State.NOW):
            if state in states:
                return state
        if all(state is State.DONE for state in states):
            return State.DONE
        return State.NOW if State.DONE in states else State.TO_DO


@dataclass(frozen=True)
class Shown:
    """A move as the page shows it. Its `monitor` answers at this HOST:PORT, if it has one."""

    request: Request
    progress: MoveProgress | None
    report: Report | None
    finished: bool
    monitor: str = ""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        asked = self.request
        places = (
            ("Source application", f"{asked.app} on {asked.source_grid}", _AT_SOURCE),
            ("MigHelper", f"MigHelper_{asked.target_app} on {asked.target_grid}", _AT_HELPER),
            ("Target application", f"{asked.target_app} on {asked.target_grid}", tuple(Phase)),
        )
        left = list(ITINERARIES[asked.action])
        lanes = []
        for title, place, phases in places:
            mine = [phase for phase in left if phase in phases]
            left = [phase for phase in left if phase not in phases]
            lanes.append(Lane(title, place, tuple(self._step(phase) for phase in mine)))
        return tuple(lanes)

    @property
    def status(self) -> str:
        """One sentence about now."""
        if self.report and self.finished:
            return ended(self.report)
        now = self.progress
        if now is None:
            return "MigHelper is about to begin."
        if now.going_back:
            return f"The move is being taken back; {self.request.app} stays on {self.request.source_grid}."
        waiting = f" It waits: {now.waiting_for}" if now.waiting_for else ""
        return f"{_WORDS[now.phase]}.{waiting}"

    @property
    def details(self) -> tuple[tuple[str, str], ...]:
        """What is measured now, and until when it copies on, by name."""
        if self.progress is None or self.finished:
            return ()
        waits = self.progress.phase is Phase.PRECOPY and self.request.cut_over_at
        return (*_details(self.progress), *((("To be stopped", self.request.cut_over),) if waits else ()))

    @property
    def is_good(self) -> bool:
        return self.finished and self.report is not None and self.report.result in GOOD

    @property
    def kind(self) -> str:
        """How the status is to look: as something good, a problem, a warning, or as what still goes on."""
        if not self.finished or self.report is None:
            return "under-way"
        if self.report.result is Result.CANCELLED:
            return "warning"
        return "done" if self.is_good else "problem"

    @property
    def may_cancel(self) -> bool:
        """Whether the point of no return still lies ahead."""
        if self.finished or (self.progress and self.progress.going_back):
            return False
        itinerary = ITINERARIES[self.request.action]
        last = itinerary.index(POINT_OF_NO_RETURN[self.request.action])
        return itinerary.index(self.progress.phase if self.progress else Phase.PREFLIGHT) <= last

    def _step(self, phase: Phase) -> Step:
        state = self._state(phase)
        seconds = self.report.phases.get(phase.value, 0.0) if self.report else 0.0
        took = units.seconds(seconds) if seconds >= _WORTH_SAYING else ""
        if state is State.DONE:
            return Step(_WORDS[phase], state, took, 1.0)
        if state is State.NOW and self.progress and phase in _COPYING:
            note = f"round {self.progress.round}" if self.progress.round else ""
            return Step(_WORDS[phase], state, note, _share(self.progress))
        return Step(_WORDS[phase], state, took if state is State.FAILED else "")

    def _state(self, phase: Phase) -> State:
        itinerary, report = ITINERARIES[self.request.action], self.report
        if self.is_good:
            return State.DONE
        failed = report.failed_phase if report and self.finished else ""
        reached = Phase(failed) if failed else self.progress.phase if self.progress else itinerary[0]
        if reached not in itinerary or itinerary.index(phase) > itinerary.index(reached):
            return State.TO_DO
        if phase is not reached:
            return State.DONE
        going_back = self.progress is not None and self.progress.going_back
        return State.FAILED if self.finished or going_back else State.NOW


def shown(request: Request, news: News) -> Shown:
    """What there is to show of a move, from its news."""
    return Shown(request, news.progress, news.report, news.finished, "" if news.finished else news.monitor)


def ended(report: Report) -> str:
    """How a move ended, in one sentence."""
    source, target = f"{report.app} on {report.source_grid}", f"{report.target_app} on {report.target_grid}"
    return {
        Result.MIGRATED: f"The application has moved: it is {target} now.",
        Result.SNAPSHOTTED: f"The snapshot is made: {target}, stopped. {source} runs on.",
        Result.ROLLED_BACK: f"The move did not succeed. It was taken back: the application is {source}, as before.",
        Result.CANCELLED: f"The move was cancelled. The application is {source}, as before.",
        Result.FAILED: f"The move was refused before anything was changed. The application is {source}.",
        Result.PLANNED: "Only a plan was asked for.",
    }[report.result]


def result(report: Report) -> tuple[tuple[str, str], ...]:
    """What a report says, by name."""
    return tuple(_result(report))


def effects(request: Request, downtime: float) -> tuple[str, ...]:
    """What a move does to the application, in the order in which it does."""
    source, target = f"{request.app} on {request.source_grid}", f"{request.target_app} on {request.target_grid}"
    stop = f"{source} is stopped for about {units.seconds(downtime)}"
    if request.action is Action.SNAPSHOT:
        return (
            f"The data of {source} is copied while it runs.",
            f"{stop} while the last changes are copied. Then it runs on.",
            f"{target} stays there, stopped, until somebody starts it.",
        )
    kept = request.destroy_source.value == "keep"
    after = (
        f"{source} stays there, stopped" if kept else f"{source} and its data are removed from {request.source_grid}"
    )
    return (
        f"The data of {source} is copied while it runs.",
        f"{stop}; then {target} is started.",
        f"Should it not get healthy there, {source} is started again, with all its data.",
        f"Once {target} is healthy, {after}.",
    )


def _copied(now: MoveProgress) -> str:
    return f"{units.size(now.bytes)} of {units.size(now.total_bytes)}" if now.total_bytes else units.size(now.bytes)


def _share(now: MoveProgress) -> float:
    return min(now.bytes / now.total_bytes, 1.0) if now.total_bytes else 0.0


def _details(now: MoveProgress) -> Iterator[tuple[str, str]]:
    if now.bytes or now.total_bytes:
        yield "Copied", _copied(now)
    if now.rate:
        yield "Rate", f"{units.size(now.rate)}/s"
    if now.eta_seconds is not None:
        yield "Still to go", units.seconds(now.eta_seconds)
    if now.predicted_downtime_seconds is not None:
        yield "Predicted downtime", units.seconds(now.predicted_downtime_seconds)


def _result(report: Report) -> Iterator[tuple[str, str]]:
    if report.error:
        yield from _failure(report)
    if report.downtime_seconds:
        yield "Downtime", units.seconds(report.downtime_seconds)
    if report.downtime_seconds and report.predicted_downtime_seconds is not None:
        yield "Predicted downtime", units.seconds(report.predicted_downtime_seconds)
    if report.rounds:
        rounds = f"{report.rounds} round{'s' if report.rounds > 1 else ''}"
        yield "Copied while it ran", f"{units.size(report.bytes_before_stop)} in {rounds}"
        yield "Copied while it was stopped", units.size(report.bytes_in_stop)
    if report.verified:
        yield "Proven the same", f"manifest {report.manifest}"
    yield from (("Where", place) for place in report.where)
    yield from (("Old address", _led(forward)) for forward in report.forwards)
    yield from (("Note", warning) for warning in report.warnings)
    yield from (("Still to do", rest) for rest in report.left_to_do)


def _failure(report: Report) -> Iterator[tuple[str, str]]:
    phase = _WORDS[Phase(report.failed_phase)] if report.failed_phase else "the beginning"
    if report.result is Result.CANCELLED:
        yield "Cancelled in", phase
    else:
        yield "Failed in", phase
        yield "Because", report.error


def _led(forward: Forward) -> str:
    port = forward.port
    return f"{port.protocol} port {port.host_port} leads to {forward.address} port {forward.target_port}"
