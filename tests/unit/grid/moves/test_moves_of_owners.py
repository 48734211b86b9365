"""Whose application it is stays known wherever moves bring it, and nobody moves what is not theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from moves_world import APP, PORT, Grid, World

from migrid.grid.compose import properties
from migrid.grid.errors import LockedError, RightError
from migrid.grid.local.owning import owner_of
from migrid.grid.moves import asking
from migrid.grid.moves.report import Result
from migrid.grid.moves.request import DestroySource
from migrid.grid.moves.run import lock_of
from migrid.grid.sides import Action, Right
from migrid.grid.state import Owner, write_json


@pytest.fixture
def owned(world: World) -> World:
    """Both grids know ada; the application is hers where it is."""
    declare(world.a, APP)
    declare(world.b)
    return world


def declare(grid: Grid, *applications: str) -> None:
    write_json(grid.state.etc / "grid.json", replace(grid.state.configuration(), owners={"ada": Owner(applications)}))


def test_an_application_stays_its_owner_s_under_another_name(owned: World) -> None:
    there = owned.run(owned.request(target_app="store"))
    assert there.result is Result.MIGRATED
    assert owner_of(owned.b.state, "store") == "ada"
    assert owner_of(owned.b.state, APP) == ""
    back = owned.request(app="store", source_grid="grid-b", target_grid="grid-a", target_app="outlet", owner="ada")
    assert owned.run(back).result is Result.MIGRATED
    assert owner_of(owned.a.state, "outlet") == "ada"


def test_a_marker_says_whose_application_it_was(owned: World) -> None:
    owned.run(owned.request(target_app="store"))
    declare(owned.a)
    assert owner_of(owned.a.state, APP) == "ada"


def test_what_is_brought_for_nothing_leaves_no_owner(owned: World) -> None:
    owned.b.engine.faults.exits = True
    assert owned.run(owned.request(target_app="store")).result is Result.ROLLED_BACK
    assert owner_of(owned.b.state, "store") == ""
    assert owner_of(owned.a.state, APP) == "ada"


def test_what_came_counts_for_more_than_a_name_in_the_configuration(owned: World) -> None:
    write_json(owned.b.state.etc / "grid.json", replace(owned.b.state.configuration(), owners={"bob": Owner((APP,))}))
    owned.run(owned.request())
    assert owner_of(owned.b.state, APP) == "ada"


def test_nobody_moves_what_is_not_theirs(owned: World) -> None:
    before = owned.a.inventory(), owned.b.inventory()
    report = owned.run(owned.request(owner="bob"))
    assert (report.result, report.failed_phase) == (Result.FAILED, "preflight")
    assert "bob has no application shop there" in report.error
    with pytest.raises(RightError, match="bob has no application shop there"):
        asking.make_plan(
            owned.request(owner="bob"), owned.a.source, owned.b.target, "20300101T000000-00000000", owned.clock
        )
    assert (owned.a.inventory(), owned.b.inventory()) == before


def test_app_config_of_the_owner_holds_on_that_grid_only(owned: World) -> None:
    owned.b.configure({})
    given = {"SHOP_PORT": "9000", "SHOP_NAME": "branch"}
    assert owned.run(owned.request(owner="ada", app_config=given)).result is Result.MIGRATED
    assert properties.read(owned.b.state.properties_file(APP)) == given
    assert {port.host_port for port in owned.b.source.describe(APP).ports} == {9000}
    assert owned.run(owned.request(source_grid="grid-b", target_grid="grid-a")).result is Result.MIGRATED
    assert properties.read(owned.a.state.properties_file(APP)) == {}
    assert {port.host_port for port in owned.a.source.describe(APP).ports} == {PORT}


def test_the_grid_has_the_last_say_in_properties(owned: World) -> None:
    owned.b.configure({"copy": {"SHOP_PORT": "9001"}})
    given = {"SHOP_PORT": "9000", "SHOP_NAME": "branch"}
    asked = owned.request(owner="ada", action=Action.SNAPSHOT, target_app="copy", app_config=given)
    assert owned.run(asked).result is Result.SNAPSHOTTED
    assert properties.read(owned.b.state.properties_file("copy")) == {"SHOP_PORT": "9001", "SHOP_NAME": "branch"}


def test_what_a_move_left_is_removed_once_and_again(owned: World) -> None:
    moved = owned.run(owned.request(destroy_source=DestroySource.KEEP))
    assert owned.a.inventory()["volumes"]
    for _ in range(2):
        owned.a.source.destroy_left(APP, moved.move)
        assert owned.a.inventory()["volumes"] == ()
        assert owned.a.state.right(APP).right is Right.GONE
        assert owner_of(owned.a.state, APP) == "ada"


def test_nothing_else_is_taken_for_left(owned: World) -> None:
    before = owned.a.inventory()
    with pytest.raises(RightError):
        owned.a.source.destroy_left(APP, "20300101T000000-00000000")
    moved = owned.run(owned.request(destroy_source=DestroySource.KEEP))
    with pytest.raises(RightError):
        owned.a.source.destroy_left(APP, "20300101T000000-00000000")
    owned.a.state.write_lock(APP, lock_of(owned.request(), "20300101T000000-00000000", 0.0))
    with pytest.raises(LockedError):
        owned.a.source.destroy_left(APP, moved.move)
    assert owned.a.inventory()["volumes"] == before["volumes"]
