"""What `migrate.yml` is asked for, checked against the inventory and against what the grids answer. Pure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..application import Level
from ..applications.standing import Standing
from ..errors import OptionError, UnknownError
from . import request
from .plan import Plan
from .report import Report, Result

OPTIONS = request.OPTIONS
ASKED = ("action", "app", "source_grid", "target_grid", "target_app")
"""The fields of a report that are options too: as artifacts they would decide the next move of a workflow."""

MOVED = "moved"
_OUTCOMES = frozenset({MOVED, *(field.name for field in dataclasses.fields(Report))} - set(ASKED))
_OTHERS = ("ansible_", "awx_", "tower_", "molecule_", "grid_", "mig_", "system_container_")
_CONTROLLER = ("awx_job_id", "tower_job_id")
_TO_BE_FOUND = "to-be-found"
_CLOSE = 0.75


@dataclass(frozen=True)
class Answer:
    """What one grid said: its applications as `described.application` has them, or why it said nothing."""

    applications: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""


def check(options: Mapping[str, Any], extra_variables: Collection[str], grids: Collection[str]) -> request.Request:
    """The request, whose source may still be to be found. Raises OptionError, UnknownError, InvalidNameError."""
    if problems := list(_unknown(extra_variables)):
        raise OptionError("\n".join(problems))
    if not grids:
        raise UnknownError("The inventory has no grids: its group `grids` is empty or missing.")
    for name in ("app", "target_grid"):
        if options.get(name) in (None, ""):
            raise OptionError(f"{name} is missing: -e app=… -e target_grid=… (grids: {', '.join(sorted(grids))}).")
    given = {name: value for name, value in options.items() if value not in (None, "")}
    asked = request.parse({"source_grid": _TO_BE_FOUND, **given})
    _check_grids(asked, grids)
    return asked


def needed(asked: request.Request, grids: Collection[str]) -> list[str]:
    """The grids that must be asked for their applications, the target among them."""
    chosen = grids if asked.source_grid == _TO_BE_FOUND else {asked.source_grid, asked.target_grid}
    return sorted(chosen)


def source(asked: request.Request, answers: Mapping[str, Answer]) -> str:
    """The grid that the application leaves. Raises UnknownError, which says what each grid has."""
    if (answer := answers.get(asked.target_grid)) and answer.problem:
        raise UnknownError(f"The target grid {asked.target_grid} did not answer: {answer.problem}")
    if under_way := _under_way(asked, answers):
        return under_way
    wanted = {asked.source_grid} if asked.source_grid != _TO_BE_FOUND else set(answers) - {asked.target_grid}
    here = {grid: found for grid in wanted if (found := _find(asked.app, answers.get(grid, Answer())))}
    running = [grid for grid, found in here.items() if found["running"]]
    candidates = running or list(here)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise UnknownError(
            f"{asked.app} {'runs' if running else 'is'} on several grids: {', '.join(sorted(candidates))}; "
            "say which one with -e source_grid=…"
        )
    already = _find(asked.app, answers.get(asked.target_grid, Answer()))
    where = f"on {asked.target_grid} already, and on no other" if already else "on no"
    why = f"{asked.app} is {where} grid that it could move from."
    raise UnknownError("\n".join([why, *_inventory(asked, answers)]))


def report_of(plan: Plan) -> Report:
    """A plan as the report of a move that was only planned."""
    asked = plan.request
    blocking = (found for found in plan.findings if found.level is Level.BLOCKS)
    return Report(
        move="",
        action=asked.action,
        app=asked.app,
        source_grid=asked.source_grid,
        target_grid=asked.target_grid,
        target_app=asked.target_app,
        result=Result.PLANNED,
        predicted_downtime_seconds=plan.downtime_seconds,
        error="\n".join(f"{found.check}: {found.text} {found.remedy}".rstrip() for found in blocking),
    )


def artifacts(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report as artifacts of a job: what was asked for in one of its own, the rest each under its name."""
    outcome = {name: value for name, value in report.items() if name not in ASKED}
    return {**outcome, MOVED: {name: report[name] for name in ASKED if name in report}}


def _check_grids(asked: request.Request, grids: Collection[str]) -> None:
    for name, grid in (("target_grid", asked.target_grid), ("source_grid", asked.source_grid)):
        if grid not in (*grids, _TO_BE_FOUND):
            there = ", ".join(sorted(grids))
            raise UnknownError(f"{name}: there is no grid {grid} in the inventory; there are {there}.")
    if asked.source_grid == asked.target_grid:
        raise OptionError(f"{asked.target_grid} is both source_grid and target_grid; give two grids.")


def _unknown(names: Collection[str]) -> Iterator[str]:
    """Extra variables that are misspelt options. A controller passes on those of a whole workflow, so that there only
    what looks like an option is taken for one."""
    controlled = any(name in names for name in _CONTROLLER)
    for name in sorted(names):
        if name in OPTIONS or name in _OUTCOMES or name.startswith(_OTHERS):
            continue
        close = difflib.get_close_matches(_plain(name), {_plain(option): option for option in OPTIONS}, 1, _CLOSE)
        if close:
            meant = next(option for option in OPTIONS if _plain(option) == close[0])
            yield f"{name} is no option of a move; did you mean {meant}?"
        elif not controlled:
            yield f"{name} is no option of a move; there are {', '.join(OPTIONS)}."


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _under_way(asked: request.Request, answers: Mapping[str, Answer]) -> str | None:
    """The source of a move to the target that is under way already: the playbook takes it up again."""
    every = (each for answer in answers.values() for each in answer.applications)
    sources = {
        str(each["move_source_grid"])
        for each in every
        if (each["move_source_app"], each["move_target_grid"]) == (asked.app, asked.target_grid)
    }
    if asked.source_grid != _TO_BE_FOUND:
        sources &= {asked.source_grid}
    return sources.pop() if len(sources) == 1 else None


def _find(app: str, answer: Answer) -> Mapping[str, Any] | None:
    return next(
        (each for each in answer.applications if each["name"] == app and each["state"] != Standing.MOVED.value), None
    )


def _inventory(asked: request.Request, answers: Mapping[str, Answer]) -> Iterator[str]:
    for grid, answer in sorted(answers.items()):
        if answer.problem:
            yield f"  {grid} did not answer: {answer.problem}"
            continue
        target = " (the target)" if grid == asked.target_grid else ""
        yield f"  {grid}{target} has {_listed(answer.applications)}"


def _listed(applications: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{each['name']} ({each['explanation']})" for each in applications) or "no applications"
