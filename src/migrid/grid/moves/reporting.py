"""How a report comes of a run: everything in it is in the journal. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import records
from ..errors import CancelledError
from ..sides import Action, Forward
from ..volumes.client import Round
from .journal import Failure, Position
from .phases import Phase
from .report import Report, Result
from .request import DestroySource, Request
from .run import Run

_LEFT = "left "
_REFUSED_IN = (Phase.PREFLIGHT, Phase.LOCK)


def make(run: Run, waiting_for: str = "") -> Report:
    """The report of what has been reached; `waiting_for` is what holds the rest up."""
    position, asked = run.journal.position, run.request
    result, notes, failure = _result(position, asked), position.notes, position.failure
    return Report(
        move=run.move,
        action=asked.action,
        app=asked.app,
        source_grid=asked.source_grid,
        target_grid=asked.target_grid,
        target_app=asked.target_app,
        result=result,
        downtime_seconds=_downtime(notes, asked.action, failure),
        predicted_downtime_seconds=notes.get("predicted_downtime_seconds"),
        bytes_before_stop=sum(seen.round.bytes for seen in run.rounds),
        bytes_in_stop=sum(last.bytes for last in _last_rounds(run)),
        rounds=len(run.rounds),
        verified="manifest" in notes,
        manifest=str(notes.get("manifest", "")),
        phases=_phases(position),
        failed_phase=failure.phase.value if failure else "",
        error=failure.text if failure else "",
        where=tuple(_where(run, result, position)),
        forwards=_forwards(notes),
        warnings=(*run.warnings, *left(position).values()),
        left_to_do=(waiting_for,) if waiting_for else (),
    )


def left(position: Position) -> dict[Phase, str]:
    """The phases after the point of no return that could not be carried out, and why."""
    return {phase: str(position.notes[_LEFT + phase.value]) for phase in Phase if _LEFT + phase.value in position.notes}


def leave(run: Run, phase: Phase, why: str) -> None:
    """Remember that such a phase is left to the operator."""
    run.progress.log(f"{phase.value}: failed: {why}")
    run.journal.note(**{_LEFT + phase.value: f"{phase.value} could not be done: {why}"})


def _result(position: Position, asked: Request) -> Result:
    failure = position.failure
    if failure is None:
        return Result.MIGRATED if asked.action is Action.MIGRATE else Result.SNAPSHOTTED
    if failure.kind == CancelledError.__name__:
        return Result.CANCELLED
    return Result.FAILED if failure.phase in _REFUSED_IN else Result.ROLLED_BACK


def _downtime(notes: Mapping[str, Any], action: Action, failure: Failure | None) -> float:
    """From the beginning of the stop until the application answered again, where it runs now."""
    if "stop_began" not in notes:
        return 0.0
    back = failure or action is Action.SNAPSHOT
    ends = ("source_resumed",) if back else ("handed_over_at", "let_in_at")
    end = next((notes[name] for name in ends if name in notes), None)
    began = notes.get("down_since", notes["stop_began"])
    return 0.0 if end is None else round(float(end) - float(began), 3)


def _last_rounds(run: Run) -> list[Round]:
    return [run.noted(name, Round) for name in run.notes if name.startswith("delta ")]


def _phases(position: Position) -> dict[str, float]:
    """The seconds of each phase that ended."""
    return {
        phase.value: round(ended - position.began[phase], 3)
        for phase, ended in position.ended.items()
        if phase in position.began
    }


def _forwards(notes: Mapping[str, Any]) -> tuple[Forward, ...]:
    return records.from_data(tuple[Forward, ...], notes.get("forwards", []))


def _where(run: Run, result: Result, position: Position) -> Iterator[str]:
    asked = run.request
    source, target = f"{asked.app} on {asked.source_grid}", f"{asked.target_app} on {asked.target_grid}"
    if result is Result.MIGRATED:
        running = "known" in run.notes and run.known.application.running
        yield f"{target}: {'runs' if running else 'is there, stopped as it was'}"
        yield f"{source}: {_left_at_source(asked, position)}"
    elif result is Result.SNAPSHOTTED:
        yield f"{source}: as before"
        yield f"{target}: a stopped copy"
    else:
        yield f"{source}: as before"
        yield f"{target}: nothing of this move"


def _left_at_source(asked: Request, position: Position) -> str:
    if asked.destroy_source is DestroySource.KEEP:
        return "is kept with its data, stopped and without the right to run"
    if Phase.DESTROY_SOURCE in position.ended and Phase.DESTROY_SOURCE not in left(position):
        return "was removed with its data; a marker says where it went"
    return "is stopped and has no right to run; it is still to be removed"
