"""Preflight as both grids are asked for it, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

from ..application import Application, Finding, Image, Level
from ..at_once import at_once
from ..clock import Clock
from ..errors import BlockedError, GridError, LockedError
from ..local.owning import check_owner
from ..sides import PLAN_LEASE, Facts, Lock, Source, Target
from ..volumes.client import Channel, Survey
from . import plan, preflight
from .request import Request
from .run import Known, lock_of

PROBE_SECONDS = 1.0


@runtime_checkable
class Measuring(Protocol):
    """A source that can tell how fast the way to it is."""

    def probe(self, seconds: float) -> float:
        """Bytes a second."""


def learn(request: Request, source: Source, target: Target, clock: Clock) -> Known:
    """What both grids say. Raises UnknownError, DefinitionError, RightError, UnreachableError."""
    check_owner(source, request.app, request.owner)
    found: Any = at_once((partial(_learn_of_source, request, source, clock), target.facts))
    (application, there, seconds, skew), facts = found
    return Known(application, there, facts, seconds, skew)


def _learn_of_source(
    request: Request, source: Source, clock: Clock
) -> tuple[Application, Facts, Mapping[str, float], float]:
    before = clock.time()
    there = source.facts()
    skew = (before + clock.time()) / 2 - there.time
    application = replace(source.describe(request.app), app_config=request.app_config)
    return application, there, source.seconds(request.app), skew


def findings(
    request: Request, source: Source, target: Target, known: Known, survey: Survey | None = None
) -> tuple[Finding, ...]:
    """All that stands in the way of the move, or will be different after it."""
    missing = target.missing_images(known.application.images)
    asked = preflight.Known(
        request=request,
        source=known.source,
        target=known.target,
        application=known.application,
        skew=known.skew,
        survey=survey,
        missing_bytes=sum(image.size for image in missing),
        unreached=_unreached(source, request.target_grid),
    )
    of_target = target.findings(known.target.engine, known.application, request.target_app)
    found = (*preflight.preflight(asked), *known.application.findings, *of_target)
    return preflight.with_other_properties(found) if any(item.check == "properties" for item in of_target) else found


def refuse_full(request: Request, target: Target, known: Known, survey: Survey) -> None:
    """Raises BlockedError when what was counted does not fit on the target."""
    there = replace(known.target, engine=replace(known.target.engine, free_bytes=target.free_bytes()))
    now = preflight.Known(request, known.source, there, known.application, survey=survey)
    full = tuple(preflight.disk(now))
    if full:
        raise BlockedError(full)


def make_plan(request: Request, source: Source, target: Target, move: str, clock: Clock) -> plan.Plan:
    """The plan of a move, which is not carried out. To count what there is to copy, the application is locked for a
    moment. Raises GridError when a grid cannot say what it is asked."""
    known = learn(request, source, target, clock)
    survey, locked = _survey(request, source, target, known, lock_of(request, move, clock.time()))
    found = [*findings(request, source, target, known, survey), *locked]
    basis = plan.Basis(known.recorded, survey, _rate(source), _missing(target, known))
    return plan.make(request, known.application, found, basis)


def _survey(
    request: Request, source: Source, target: Target, known: Known, lock: Lock
) -> tuple[Survey | None, list[Finding]]:
    try:
        source.lock(replace(lock, override=False, lease=PLAN_LEASE))
    except LockedError as error:
        level = Level.WARNS if request.override_lock else Level.BLOCKS
        return None, [Finding("lock", level, str(error))]
    try:
        with ExitStack() as opened:

            def open_channel() -> Channel:
                return opened.enter_context(closing(source.trees(request.app, lock.move)))

            return target.survey(lock.move, known.application.trees, open_channel), []
    finally:
        source.finish(request.app, lock.move)


def _missing(target: Target, known: Known) -> tuple[Image, ...]:
    return target.missing_images(known.application.images)


def _rate(source: Source) -> float | None:
    return source.probe(PROBE_SECONDS) or None if isinstance(source, Measuring) else None


def _unreached(source: Source, grid: str) -> str:
    try:
        return source.reaches(grid)
    except GridError as error:
        return str(error)
