"""The plan of a move: what preflight found, what will be copied, and how long it will take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...table import table
from .. import units
from ..application import Application, Finding, Image, Level, TreeKind
from ..volumes.client import Survey
from . import prediction
from .preflight import CHECKS
from .request import Request


@dataclass(frozen=True)
class Item:
    """One thing that will be copied: a volume, the project directory, or an image. `bytes` is None where unknown."""

    kind: str
    name: str
    bytes: int | None = None


@dataclass(frozen=True)
class Plan:
    """All that is known before anything is changed. `rate` is in bytes a second; `survey` is None if not known."""

    request: Request
    findings: tuple[Finding, ...]
    items: tuple[Item, ...]
    survey: Survey | None
    rate: float
    total_seconds: float
    downtime_seconds: float

    @property
    def blocked(self) -> bool:
        return any(found.level is Level.BLOCKS for found in self.findings)

    def text(self) -> str:
        return "\n".join(_lines(self))


@dataclass(frozen=True)
class Basis:
    """What a plan is made from, besides the application: `recorded` are the seconds of stop and start, `rate` what the
    way between the grids gives, None if it was not measured."""

    recorded: Mapping[str, float]
    survey: Survey | None
    rate: float | None
    missing_images: Sequence[Image]


def make(request: Request, application: Application, findings: Sequence[Finding], basis: Basis) -> Plan:
    """The plan, from what both grids said."""
    rate = basis.rate or prediction.USUAL_RATE
    if request.bandwidth_limit:
        rate = min(rate, float(request.bandwidth_limit))
    survey = basis.survey or Survey(0, 0, 0)
    habits = prediction.habits(application, basis.recorded, request)
    downtime = prediction.downtime(habits, survey, ())
    image_bytes = sum(image.size for image in basis.missing_images)
    return Plan(
        request=request,
        findings=_complete(findings),
        items=tuple(_items(application, basis.missing_images)),
        survey=basis.survey,
        rate=rate,
        total_seconds=prediction.before_stop(survey, image_bytes, rate) + downtime,
        downtime_seconds=downtime,
    )


def _complete(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Every check with its findings, in the order of the checks; one without any is in order."""
    order = [*CHECKS, *sorted({found.check for found in findings} - set(CHECKS))]
    chosen = {check: [found for found in findings if found.check == check] for check in order}
    return tuple(
        found for check in order for found in chosen[check] or [Finding(check, Level.OK, CHECKS.get(check, "in order"))]
    )


def _items(application: Application, missing: Sequence[Image]) -> Iterator[Item]:
    for tree in application.trees:
        kind = "project directory" if tree.kind is TreeKind.DIRECTORY else "volume"
        yield Item(kind, tree.location)
    for image in missing:
        yield Item("image", image.reference, image.size)


def _lines(plan: Plan) -> Iterator[str]:
    asked = plan.request
    yield f"{asked.action.value} {asked.app} from {asked.source_grid} to {asked.target_grid} as {asked.target_app}"
    yield ""
    rows = ((found.check, found.level.value, f"{found.text} {found.remedy}".rstrip()) for found in plan.findings)
    yield table(("CHECK", "", "FINDING"), rows)
    yield ""
    sizes = ((item.kind, item.name, "" if item.bytes is None else units.size(item.bytes)) for item in plan.items)
    yield table(("WHAT IS COPIED", "NAME", "SIZE"), sizes)
    yield ""
    if plan.survey:
        yield f"{plan.survey.files} files, {units.size(plan.survey.bytes)}, at {units.size(plan.rate)} a second"
    yield f"predicted total time: {units.seconds(plan.total_seconds)}"
    yield f"predicted downtime:   {units.seconds(plan.downtime_seconds)}"
