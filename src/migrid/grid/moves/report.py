"""What a move did, for the operator and for whatever reads `report.json`."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import units
from ..sides import Action, Forward
from ..state import read_json, write_json


class Result(enum.Enum):
    """How a move ended."""

    MIGRATED = "migrated"  # the application runs on the target
    SNAPSHOTTED = "snapshotted"  # a stopped copy is on the target
    ROLLED_BACK = "rolled_back"  # it failed, and everything is as it was before
    CANCELLED = "cancelled"  # the operator cancelled it, and everything is as it was before
    FAILED = "failed"  # it was refused before anything was changed
    PLANNED = "planned"  # only the plan was asked for


GOOD = (Result.MIGRATED, Result.SNAPSHOTTED)
"""The ends that were asked for."""


@dataclass(frozen=True)
class Report:
    """The report of a move.

    `downtime_seconds` run from the beginning of the stop until the application was healthy on the target and its old
    address answered, or, for a snapshot and after a failure, until the source was started again; 0 if it never stopped.
    `phases` has the seconds of each. `left_to_do` is not empty as long as the move still tries to reach its end.
    """

    move: str
    action: Action
    app: str
    source_grid: str
    target_grid: str
    target_app: str
    result: Result
    downtime_seconds: float = 0.0
    predicted_downtime_seconds: float | None = None
    bytes_before_stop: int = 0
    bytes_in_stop: int = 0
    rounds: int = 0
    verified: bool = False
    manifest: str = ""
    phases: Mapping[str, float] = field(default_factory=dict)
    failed_phase: str = ""
    error: str = ""
    where: tuple[str, ...] = ()
    forwards: tuple[Forward, ...] = ()
    warnings: tuple[str, ...] = ()
    left_to_do: tuple[str, ...] = ()

    def text(self) -> str:
        return "\n".join(_lines(self))


def read(directory: Path) -> Report | None:
    """The report of the move in this directory, once there is one."""
    return read_json(Report, directory / "report.json")


def write(directory: Path, report: Report) -> None:
    write_json(directory / "report.json", report)


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.action.value} {report.app} from {report.source_grid} to {report.target_grid}: {report.result.value}"
    if report.error:
        yield f"  failed in {report.failed_phase}: {report.error}"
    yield from (f"  {place}" for place in report.where)
    if report.downtime_seconds:
        yield f"  downtime {units.seconds(report.downtime_seconds)}{_predicted(report)}"
    if report.rounds:
        before, within = units.size(report.bytes_before_stop), units.size(report.bytes_in_stop)
        yield f"  copied {before} before the stop in {report.rounds} rounds, {within} within it"
    if report.verified:
        yield f"  verified: manifest {report.manifest}"
    yield from (f"  {_forward(forward)}" for forward in report.forwards)
    yield from (f"  note: {warning}" for warning in report.warnings)
    yield from (f"  still to do: {rest}" for rest in report.left_to_do)


def _predicted(report: Report) -> str:
    predicted = report.predicted_downtime_seconds
    return "" if predicted is None else f", predicted {units.seconds(predicted)}"


def _forward(forward: Forward) -> str:
    port = forward.port
    return f"{port.protocol} port {port.host_port} there goes on to {forward.address}:{forward.target_port}"
