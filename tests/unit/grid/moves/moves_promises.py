"""What every move promises, however it ends."""

from __future__ import annotations

from typing import Any

from moves_world import APP, World

from migrid.grid.moves.report import Report, Result
from migrid.grid.moves.request import Request
from migrid.grid.sides import Action, Right

ENDS = {Action.MIGRATE: Result.MIGRATED, Action.SNAPSHOT: Result.SNAPSHOTTED}
LONGEST_DOWN = 200.0

Inventories = dict[str, dict[str, Any]]


def inventories(world: World) -> Inventories:
    """All that is on both grids."""
    return {grid.name: grid.inventory() for grid in (world.a, world.b)}


def check_sides(world: World, report: Report) -> None:
    """It runs on exactly one side, and never ran on both."""
    runs_on = "grid-b" if report.result is Result.MIGRATED else "grid-a"
    assert world.load.running == {(runs_on, APP)}, world.log(report)
    assert world.load.violations == [], world.log(report)
    assert world.load.longest_down < LONGEST_DOWN
    right = world.a.state.right(APP)
    assert right.right is (Right.GONE if report.result is Result.MIGRATED else Right.HERE)


def check_data(world: World, report: Report) -> None:
    """No write that was acknowledged is lost. That a started copy is what was stopped is seen by the load."""
    runs_on = world.b if report.result is Result.MIGRATED else world.a
    assert world.writes_on(runs_on) == world.load.acknowledged
    if report.result in ENDS.values():
        assert report.verified
    if report.result is Result.SNAPSHOTTED:
        copied = world.writes_on(world.b)
        assert copied == world.load.acknowledged[: len(copied)]


def check_leftovers(world: World, report: Report, before: Inventories) -> None:
    """Nothing of the move is left on either grid, but what it was for."""
    source, target = world.a.inventory(), world.b.inventory()
    if report.result is Result.MIGRATED:
        assert source == _without_the_application(before["grid-a"])
        assert target == _with_the_application(before["grid-b"], running=True)
    elif report.result is Result.SNAPSHOTTED:
        assert source == before["grid-a"]
        assert target == _with_the_application(before["grid-b"], running=False)
    else:
        assert source == before["grid-a"]
        assert target == before["grid-b"]


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


def _without_the_application(inventory: dict[str, Any]) -> dict[str, Any]:
    return inventory | {"volumes": (), "files": [], "containers": (), "networks": []}


def _with_the_application(inventory: dict[str, Any], running: bool) -> dict[str, Any]:
    return inventory | {
        "volumes": ("shop_data",),
        "files": ["shop_data"],
        "images": ["other:1", "shop-db:1", "shop-web:1"],
        "containers": ("shop-db-1", "shop-web-1") if running else (),
        "networks": ["shop_default"] if running else [],
        "applications": [APP],
    }
