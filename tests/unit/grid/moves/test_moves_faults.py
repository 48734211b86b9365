"""Every fault in every phase of both actions. A phase or a fault for which nobody said what must happen fails here."""

from __future__ import annotations

from typing import Any

import pytest
from migrid.grid import names
from migrid.grid.phases import ITINERARIES, Phase
from migrid.grid.report import Report, Result
from migrid.grid.request import Request
from migrid.grid.sides import Action, Right
from moves_faults import RESULTS, Blow, Fault, expected
from moves_world import APP, World

ENDS = {Action.MIGRATE: Result.MIGRATED, Action.SNAPSHOT: Result.SNAPSHOTTED}
LONGEST_DOWN = 200.0

CELLS = [(action, phase, fault) for action in Action for phase in ITINERARIES[action] for fault in Fault]


@pytest.mark.parametrize("action", Action)
def test_every_cell_has_an_expectation(action: Action) -> None:
    table = expected(action)
    assert set(table) == {(fault, phase) for fault in Fault for phase in Phase}
    for (_, phase), end in table.items():
        assert (end in RESULTS) == (phase in ITINERARIES[action])


@pytest.mark.parametrize(
    ("action", "phase", "fault"), CELLS, ids=lambda value: value.name.lower() if hasattr(value, "name") else str(value)
)
def test_fault(world: World, action: Action, phase: Phase, fault: Fault) -> None:
    before = {grid.name: grid.inventory() for grid in (world.a, world.b)}
    request = world.request(action=action)
    blow = Blow(world, request, names.new_move(), fault, phase)
    world.journalled = blow

    report = world.run(request, blow.move)

    world.journalled = lambda event, data: None
    assert blow.struck
    end = expected(action)[fault, phase]
    assert report.result is (RESULTS[end] or ENDS[action]), world.log(report)
    assert not report.left_to_do
    world.load.engines["grid-a"].look()
    check_sides(world, report)
    check_data(world, report)
    if (fault, phase) != (Fault.IMAGE_MISSING, Phase.CLEAN_UP):  # an image that nothing runs can be removed afterwards
        check_leftovers(world, report, before)
    check_log(world, report)
    blow.mend()
    check_second_run(world, request, report)


def check_sides(world: World, report: Report) -> None:
    """It runs on exactly one side, and never ran on both."""
    runs_on = "grid-b" if report.result is Result.MIGRATED else "grid-a"
    assert world.load.running == {(runs_on, APP)}, world.log(report)
    assert not world.load.violations
    assert world.load.longest_down < LONGEST_DOWN
    right = world.a.state.right(APP)
    assert right.right is (Right.GONE if report.result is Result.MIGRATED else Right.HERE)


def check_data(world: World, report: Report) -> None:
    """No write that was acknowledged is lost. That a started copy is what was stopped is seen by the load."""
    runs_on = world.b if report.result is Result.MIGRATED else world.a
    assert world.writes_on(runs_on) == world.load.acknowledged
    if report.result is not Result.ROLLED_BACK and "verify" in report.phases:
        assert report.verified
    if report.result is Result.SNAPSHOTTED:
        assert set(world.writes_on(world.b)) <= set(world.load.acknowledged)


def check_leftovers(world: World, report: Report, before: dict[str, Any]) -> None:
    """Nothing of the move is left on either grid, but what it was for."""
    source, target = world.a.inventory(), world.b.inventory()
    if report.result is Result.MIGRATED:
        assert source == without_the_application(before["grid-a"])
        assert target == with_the_application(before["grid-b"], running=True)
    elif report.result is Result.SNAPSHOTTED:
        assert source == before["grid-a"]
        assert target == with_the_application(before["grid-b"], running=False)
    else:
        assert source == before["grid-a"]
        assert target == before["grid-b"]


def without_the_application(inventory: dict[str, Any]) -> dict[str, Any]:
    return inventory | {"volumes": (), "files": [], "containers": (), "networks": []}


def with_the_application(inventory: dict[str, Any], running: bool) -> dict[str, Any]:
    return inventory | {
        "volumes": ("shop_data",),
        "files": ["shop_data"],
        "images": ["other:1", "shop-db:1", "shop-web:1"],
        "containers": ("shop-db-1", "shop-web-1") if running else (),
        "networks": ["shop_default"] if running else [],
        "applications": [APP],
    }


def check_log(world: World, report: Report) -> None:
    """It says which phase failed, and why."""
    if report.error:
        assert f"{report.failed_phase}: failed: {report.error.splitlines()[0]}" in world.log(report)


def check_second_run(world: World, request: Request, report: Report) -> None:
    """Without any cleaning: the same again after a failure; else the way back, or another copy."""
    if report.result is Result.MIGRATED:
        back = world.run(world.request(source_grid="grid-b", target_grid="grid-a"))
        assert back.result is Result.MIGRATED, world.log(back)
        assert world.load.running == {("grid-a", APP)}
        assert world.writes_on(world.a) == world.load.acknowledged
    elif report.result is Result.SNAPSHOTTED:
        copy = world.run(world.request(action=Action.SNAPSHOT, target_app="shop2"))
        assert copy.result is Result.SNAPSHOTTED, world.log(copy)
    else:
        again = world.run(request)
        assert again.result is ENDS[request.action], world.log(again)
    assert not world.load.violations
