"""What migrate.yml accepts, refuses and finds out, without any grid."""

from __future__ import annotations

from typing import Any

import pytest

from migrid.grid.errors import OptionError, UnknownError
from migrid.grid.moves import migration
from migrid.grid.moves.migration import Answer
from migrid.grid.moves.request import DestroySource
from migrid.grid.sides import Action

GRIDS = {"grid-a": "host-a", "grid-b": "host-b", "grid-c": "host-c"}
SHOP = {"app": "shop", "target_grid": "grid-b"}


def app(name: str = "shop", state: str = "running", **more: Any) -> dict[str, Any]:
    held = {"move_source_grid": "", "move_source_app": "", "move_target_grid": ""}
    return {"name": name, "state": state, "explanation": state, "running": state == "running", **held, **more}


def under_way(source: str) -> dict[str, Any]:
    return app(state="moving", move_source_grid=source, move_source_app="shop", move_target_grid="grid-b")


def find(answers: dict[str, Answer], **options: str) -> str:
    return migration.source(migration.check({**SHOP, **options}, (), GRIDS), answers)


def test_all_options_as_text() -> None:
    options = {
        **SHOP,
        "source_grid": "grid-a",
        "target_app": "shop2",
        "action": "snapshot",
        "stop_timeout": "30",
        "bandwidth_limit": "10M",
        "cut_over": "2030-01-01T02:00:00+02:00",
        "destroy_source": "keep",
        "override_lock": "false",
        "plan_only": "true",
    }
    asked = migration.check(options, options, GRIDS)
    assert set(options) == set(migration.OPTIONS)
    assert (asked.action, asked.stop_timeout, asked.bandwidth_limit) == (Action.SNAPSHOT, 30.0, 10 << 20)
    assert (asked.destroy_source, asked.plan_only, asked.override_lock) == (DestroySource.KEEP, True, False)


def test_empty_text_is_as_good_as_none() -> None:
    empty = dict.fromkeys(set(migration.OPTIONS) - set(SHOP), "")
    assert migration.check({**empty, **SHOP}, (), GRIDS) == migration.check(SHOP, (), GRIDS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"app": ""}, "app is missing: -e app=… -e target_grid=… (grids: grid-a, grid-b, grid-c)."),
        ({"target_grid": ""}, "target_grid is missing"),
        ({"target_grid": "grid-x"}, "target_grid: there is no grid grid-x in the inventory; there are grid-a, grid-b"),
        ({"source_grid": "grid-x"}, "source_grid: there is no grid grid-x"),
        ({"source_grid": "grid-b"}, "grid-b is both source_grid and target_grid"),
        ({"action": "move"}, "action: 'move' is not accepted; give migrate or snapshot"),
        ({"app": "../x"}, "app: '../x' cannot name an application"),
        ({"cut_over": "soon"}, "cut_over: 'soon' is not accepted"),
    ],
)
def test_wrong_options(options: dict[str, str], message: str) -> None:
    with pytest.raises((OptionError, UnknownError)) as caught:
        migration.check({**SHOP, **options}, (), GRIDS)
    assert str(caught.value).startswith(message)


def test_an_inventory_without_grids() -> None:
    with pytest.raises(UnknownError, match="The inventory has no grids"):
        migration.check(SHOP, (), {})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("targetgrid", "target_grid"),
        ("target-grid", "target_grid"),
        ("Target_Grid", "target_grid"),
        ("bandwith_limit", "bandwidth_limit"),
        ("cutover", "cut_over"),
        ("plan", None),
        ("colour", None),
    ],
)
def test_misspelt_variables_are_refused(name: str, meant: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        migration.check(SHOP, [*SHOP, name], GRIDS)
    hint = f"did you mean {meant}?" if meant else "there are app, source_grid"
    assert str(caught.value).startswith(f"{name} is no option of a move; {hint}")


def test_a_controller_may_pass_on_variables_of_its_workflow() -> None:
    passed = [*SHOP, "awx_job_id", "awx_user_name", "colour", "downtime_seconds", "moved", "ansible_user", "grid_name"]
    migration.check(SHOP, passed, GRIDS)
    with pytest.raises(OptionError, match="did you mean target_grid"):
        migration.check(SHOP, [*passed, "targetgrid"], GRIDS)


def test_only_the_grids_that_matter_are_asked() -> None:
    assert migration.needed(migration.check(SHOP, (), GRIDS), GRIDS) == ["grid-a", "grid-b", "grid-c"]
    asked = migration.check({**SHOP, "source_grid": "grid-a"}, (), GRIDS)
    assert migration.needed(asked, GRIDS) == ["grid-a", "grid-b"]


def test_the_source_is_where_it_runs() -> None:
    assert find({"grid-a": Answer((app(),)), "grid-b": Answer()}) == "grid-a"
    assert find({"grid-a": Answer((app(state="stopped"),)), "grid-c": Answer((app(),)), "grid-b": Answer()}) == "grid-c"
    assert find({"grid-a": Answer((app(state="stopped"),)), "grid-b": Answer((app(),))}) == "grid-a"
    assert (
        find({"grid-a": Answer((app(state="moved away"),)), "grid-c": Answer((app(),)), "grid-b": Answer()}) == "grid-c"
    )


def test_a_grid_that_is_away_does_not_matter_unless_it_is_needed() -> None:
    away = Answer(problem="no route to host")
    assert find({"grid-a": Answer((app(),)), "grid-b": Answer(), "grid-c": away}) == "grid-a"
    with pytest.raises(UnknownError, match="The target grid grid-b did not answer: no route to host"):
        find({"grid-a": Answer((app(),)), "grid-b": away})
    with pytest.raises(UnknownError, match="grid-c did not answer: no route to host"):
        find({"grid-a": Answer(), "grid-b": Answer(), "grid-c": away})


def test_several_sources_are_named() -> None:
    answers = {"grid-a": Answer((app(),)), "grid-b": Answer(), "grid-c": Answer((app(),))}
    with pytest.raises(UnknownError, match="shop runs on several grids: grid-a, grid-c; say which one"):
        find(answers)
    assert find(answers, source_grid="grid-c") == "grid-c"


def test_no_source_lists_what_there_is() -> None:
    answers = {
        "grid-a": Answer((app(state="moved away", explanation="moved away to grid-b as shop"), app("blog"))),
        "grid-b": Answer((app(),)),
    }
    with pytest.raises(UnknownError) as caught:
        find(answers)
    assert str(caught.value).splitlines() == [
        "shop is on grid-b already, and on no other grid that it could move from.",
        "  grid-a has shop (moved away to grid-b as shop), blog (running)",
        "  grid-b (the target) has shop (running)",
    ]
    with pytest.raises(UnknownError, match=r"^shop is on no grid that it could move from\.\n  grid-a has blog"):
        find({"grid-a": Answer((app("blog"),)), "grid-b": Answer()})


def test_a_move_under_way_is_taken_up_again() -> None:
    gone = app(state="moved away")
    assert find({"grid-a": Answer((gone,)), "grid-b": Answer((under_way("grid-a"),))}) == "grid-a"
    assert find({"grid-a": Answer((under_way("grid-a"),)), "grid-b": Answer(), "grid-c": Answer((app(),))}) == "grid-a"


def test_artifacts_do_not_decide_the_next_move() -> None:
    report = {
        "app": "shop",
        "source_grid": "grid-a",
        "target_grid": "grid-b",
        "target_app": "shop",
        "action": "migrate",
    }
    assert migration.artifacts({**report, "result": "migrated", "rounds": 3}) == {
        "result": "migrated",
        "rounds": 3,
        "moved": report,
    }
