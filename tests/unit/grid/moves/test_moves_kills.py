"""A driver, or a helper of the source, that dies at any single moment: after every entry of the journal, every change
that an engine is asked for and everything that a grid remembers. Whoever comes next goes on to the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from moves_promises import check_data, check_leftovers, check_sides, inventories
from moves_world import Killed, World, new_world

from migrid.grid import names
from migrid.grid.moves.report import Report, Result
from migrid.grid.sides import Action

Prepare = Callable[[World], None]


def _nothing(world: World) -> None: ...


def _unhealthy(world: World) -> None:
    world.b.engine.faults.exits = True


@pytest.mark.parametrize(
    ("action", "prepare", "result"),
    [
        (Action.MIGRATE, _nothing, Result.MIGRATED),
        (Action.MIGRATE, _unhealthy, Result.ROLLED_BACK),
        (Action.SNAPSHOT, _nothing, Result.SNAPSHOTTED),
    ],
    ids=["migrated", "rolled_back", "snapshotted"],
)
def test_kill_at_every_moment(action: Action, prepare: Prepare, result: Result) -> None:
    moments = _moments(action, prepare)
    assert len(moments) > 50
    for number in range(len(moments)):
        with new_world() as world:
            before = inventories(world)
            killer = _Killer(number)
            report = _run(world, action, prepare, killer)
            assert killer.struck, f"nothing reached moment {number}"
            assert report.result is result, f"killed {killer.struck}:\n{world.log(report)}"
            check_sides(world, report)
            check_data(world, report)
            check_leftovers(world, report, before)


def _moments(action: Action, prepare: Prepare) -> list[str]:
    """All moments of a move that nobody disturbs."""
    moments: list[str] = []
    with new_world() as world:
        _run(world, action, prepare, moments.append)
    return moments


def _run(world: World, action: Action, prepare: Prepare, reached: Callable[[str], None]) -> Report:
    prepare(world)
    world.reached = reached
    return world.run(world.request(action=action), names.new_move())


class _Killer:
    """Kills at one moment, once."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.struck = ""

    def __call__(self, moment: str) -> None:
        if self._left == 0 and not self.struck:
            self.struck = moment
            raise Killed
        self._left -= 1
