"""Every fault in every phase of both actions. A phase or a fault for which nobody said what must happen fails here."""

from __future__ import annotations

import enum

import pytest
from moves_faults import RESULTS, Blow, Fault, expected
from moves_promises import (
    ENDS,
    check_data,
    check_leftovers,
    check_log,
    check_second_run,
    check_sides,
    inventories,
)
from moves_world import World

from migrid.grid import names
from migrid.grid.moves.phases import ITINERARIES, Phase
from migrid.grid.sides import Action

CELLS = [(action, phase, fault) for action in Action for phase in ITINERARIES[action] for fault in Fault]


def _name(value: enum.Enum) -> str:
    return value.name.lower()


@pytest.mark.parametrize("action", Action, ids=_name)
def test_every_cell_has_an_expectation(action: Action) -> None:
    table = expected(action)
    assert set(table) == {(fault, phase) for fault in Fault for phase in Phase}
    for (_, phase), end in table.items():
        assert (end in RESULTS) == (phase in ITINERARIES[action])


@pytest.mark.parametrize(("action", "phase", "fault"), CELLS, ids=_name)
def test_fault(world: World, action: Action, phase: Phase, fault: Fault) -> None:
    before = inventories(world)
    request = world.request(action=action)
    blow = Blow(world, request, names.new_move(), fault, phase)
    world.journalled = blow

    report = world.run(request, blow.move)

    assert blow.struck
    end = expected(action)[fault, phase]
    assert report.result is (RESULTS[end] or ENDS[action]), world.log(report)
    assert not report.left_to_do
    world.a.engine.look()
    check_sides(world, report)
    check_data(world, report)
    if (fault, phase) != (Fault.IMAGE_MISSING, Phase.CLEAN_UP):  # an image that nothing runs can be removed afterwards
        check_leftovers(world, report, before)
    check_log(world, report)
    blow.mend()
    check_second_run(world, request, report)
