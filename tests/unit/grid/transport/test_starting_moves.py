"""Moves are started, taken up and refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_helpers import FakeHelpers
from sample_verbs import LOCK

from migrid.grid import helper
from migrid.grid.clock import SystemClock
from migrid.grid.errors import EngineError, InvalidNameError, LockedError, UnknownError
from migrid.grid.helpers import container_name
from migrid.grid.moves.control import Control
from migrid.grid.moves.journal import Journal
from migrid.grid.moves.request import Request, parse
from migrid.grid.sides import Action
from migrid.grid.state import State

Start = Callable[..., helper.Started]


def asked(**changes: Any) -> Request:
    return parse({"app": "shop", "source_grid": "grid-b", "target_grid": "grid-a", **changes})


def finish(state: State, move: str) -> None:
    journal = Journal(state.move_directory(move) / "journal.jsonl", Action.MIGRATE, SystemClock())
    journal.finished()
    journal.close()


@pytest.fixture
def helpers() -> FakeHelpers:
    return FakeHelpers()


@pytest.fixture
def start(grid_a: State, helpers: FakeHelpers) -> Start:
    return lambda **changes: helper.start_move(grid_a, asked(**changes), helpers)


def test_a_move_gets_a_driver_and_is_remembered(grid_a: State, helpers: FakeHelpers, start: Start) -> None:
    started = start(target_app="shop2", cut_over="now")
    assert not started.attached
    assert helpers.running == {"shop2": started.move}
    assert helper.request_of(grid_a, started.move) == asked(target_app="shop2", cut_over="now")
    assert helper.unfinished(grid_a) == {started.move: asked(target_app="shop2", cut_over="now")}


def test_the_same_move_is_taken_up(grid_a: State, helpers: FakeHelpers, start: Start) -> None:
    first = start()
    helpers.die("shop")
    second = start(cut_over="now")
    assert second == helper.Started(first.move, attached=True)
    assert helpers.running == {"shop": first.move}
    start()
    assert Control(grid_a.move_directory(first.move), asked()).cut_over_at == 0.0


@pytest.mark.parametrize("change", [{"action": "snapshot"}, {"app": "other", "target_app": "shop"}])
def test_another_move_of_the_name_is_refused(helpers: FakeHelpers, start: Start, change: dict[str, str]) -> None:
    first = start()
    with pytest.raises(LockedError, match=f"shop is locked: move {first.move} .* follow {first.move}.*override_lock"):
        start(**change)
    assert helpers.running == {"shop": first.move}


def test_an_override_takes_the_place_of_another_move(helpers: FakeHelpers, start: Start) -> None:
    first = start()
    second = start(action="snapshot", override_lock=True)
    assert second.move != first.move
    assert helpers.running == {"shop": second.move}


def test_a_lock_on_this_grid_refuses_a_move(grid_a: State, helpers: FakeHelpers, start: Start) -> None:
    grid_a.write_lock("shop", LOCK)
    with pytest.raises(LockedError, match=rf"shop is locked: move {LOCK.move} .*override_lock"):
        start()
    assert helpers.running == {}
    assert start(override_lock=True).move


def test_a_move_that_is_over_is_not_taken_up(grid_a: State, start: Start) -> None:
    first = start()
    finish(grid_a, first.move)
    second = start()
    assert not second.attached
    assert list(helper.unfinished(grid_a)) == [second.move]


def test_moves_of_different_applications_go_on_side_by_side(helpers: FakeHelpers, start: Start) -> None:
    one, two = start(), start(target_app="shop2")
    assert helpers.running == {"shop": one.move, "shop2": two.move}


def test_a_move_that_got_no_driver_is_taken_up_later(helpers: FakeHelpers, start: Start) -> None:
    helpers.away = True
    with pytest.raises(EngineError):
        start()
    helpers.away = False
    assert start().attached


def test_a_source_that_is_no_peer_is_refused(start: Start) -> None:
    with pytest.raises(UnknownError, match=r"no way to grid 'grid-z'; its peers are: grid-b\..*grids\.yml"):
        start(source_grid="grid-z")


def test_the_container_is_named_after_the_application() -> None:
    assert container_name("shop") == "MigHelper_shop"
    with pytest.raises(InvalidNameError):
        container_name("../shop")
