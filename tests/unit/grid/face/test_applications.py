"""The operator's verbs, on a grid whose engine is a model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model_grid import MOVE, ModelGrid, tiny

from migrid.grid.application import Tree, TreeKind
from migrid.grid.applications.declared import Declared, parse
from migrid.grid.applications.provisioned import read_provisioned
from migrid.grid.applications.reconcile import Action, Change, reconcile
from migrid.grid.applications.standing import Standing, standing
from migrid.grid.compose import properties
from migrid.grid.errors import DefinitionError, EngineError, LockedError, RightError, UnhealthyError, UnknownError
from migrid.grid.model.engine import ModelEngine
from migrid.grid.sides import Right
from migrid.grid.state import RightRecord


def declare(directory: Path | None, **entry: Any) -> list[Declared]:
    place = {"directory": str(directory)} if directory else {}
    return parse([{"name": "tiny", **place, **entry}])


def converge(grid: ModelGrid, declared: list[Declared]) -> Change:
    """Reconcile; what check mode had said must be what is done, and a second run must do nothing."""
    said = reconcile(grid.applications(), declared, dry_run=True)
    done = reconcile(grid.applications(), declared)
    assert [(change.action, change.fields) for change in said] == [(change.action, change.fields) for change in done]
    assert not any(change.changed for change in reconcile(grid.applications(), declared))
    return done[0]


def state_of(grid: ModelGrid, app: str = "tiny") -> Standing:
    return standing(grid.applications().observe(app))


def policies(grid: ModelGrid) -> list[str]:
    return [container.restart_policy for container in grid.engine().containers("tiny")]


def environment(grid: ModelGrid, app: str = "tiny") -> dict[str, str]:
    return properties.read(grid.state.properties_file(app))


def test_from_nothing_to_running_and_away(grid: ModelGrid, source: Path) -> None:
    change = converge(grid, declare(source))
    assert (change.action, change.standing) == (Action.PROVISION, "running")
    assert set(change.fields) >= {"file compose.yaml", "file conf/motd", "file data/seed", "state"}
    assert state_of(grid) is Standing.RUNNING
    assert converge(grid, declare(source, state="absent")).action is Action.DESTROY
    assert grid.applications().all() == []
    assert list(grid.engine().info().volumes) == []
    assert grid.state.applications() == []


def test_present_provisions_and_starts_nothing(grid: ModelGrid, source: Path) -> None:
    assert converge(grid, declare(source, state="present")).action is Action.PROVISION
    assert state_of(grid) is Standing.STOPPED
    assert converge(grid, declare(source)).action is Action.START
    assert converge(grid, declare(source, state="present")).action is Action.NONE
    assert state_of(grid) is Standing.RUNNING


def test_stopped_outlives_the_engine(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    assert policies(grid) == ["always"]
    assert converge(grid, declare(source, state="stopped")).action is Action.STOP
    engine = grid.engine()
    engine.restart(0.0)
    assert not engine.runs("tiny")
    assert converge(grid, declare(source)).action is Action.START
    assert policies(grid) == ["always"]
    engine = grid.engine()
    engine.restart(0.0)
    assert engine.runs("tiny")


def test_changed_files_and_properties_take_effect(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source, properties={"TINY_GREETING": "one"}))
    before = grid.engine().containers("tiny")[0].id
    (source / "conf" / "motd").write_text("changed\n")
    change = converge(grid, declare(source, properties={"TINY_GREETING": "two"}))
    assert (change.action, change.fields) == (
        Action.CHANGE,
        ("file conf/motd", "property TINY_GREETING", "state"),
    )
    assert (grid.state.project_directory("tiny") / "conf" / "motd").read_text() == "changed\n"
    assert environment(grid) == {"TINY_GREETING": "two"}
    assert grid.engine().containers("tiny")[0].id != before


@pytest.mark.parametrize(("labels", "anew"), [({}, ("web",)), ({"mig.rereads_files": "true"}, ())])
def test_only_who_reads_files_once_gets_a_new_container(
    grid: ModelGrid, tmp_path: Path, labels: dict[str, str], anew: tuple[str, ...]
) -> None:
    source = tiny(tmp_path / "switched", labels=labels)
    converge(grid, declare(source, state="present"))
    (source / "conf" / "motd").write_text("changed\n")
    converge(grid, declare(source, state="present"))
    assert (grid.state.project_directory("tiny") / "conf" / "motd").read_text() == "changed\n"
    assert read_provisioned(grid.state, "tiny").anew == anew


def test_data_of_the_application_stays(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    seed = grid.state.project_directory("tiny") / "data" / "seed"
    seed.write_text("written by the application\n")
    (seed.parent / "more").write_text("too\n")
    (source / "data" / "seed").write_text("a newer seed\n")
    (source / "data" / "late").write_text("late\n")
    assert not converge(grid, declare(source)).changed
    assert seed.read_text() == "written by the application\n"
    assert sorted(path.name for path in seed.parent.iterdir()) == ["more", "seed"]


def test_the_grid_overrides_properties(grid: ModelGrid, source: Path) -> None:
    own = {"TINY_GREETING": "own", "B": "1"}
    declared = parse([{"name": "configured", "directory": str(source), "properties": own}])
    converge(grid, declared)
    assert environment(grid, "configured") == {"TINY_GREETING": "from the grid", "B": "1"}
    record = grid.state.record("configured")
    assert record
    assert record.properties == own
    grid.configure(app_config={"configured": {"TINY_GREETING": "from the grid, later"}})
    assert converge(grid, declared).fields == ("property TINY_GREETING", "state")


def test_a_property_that_nothing_reads_is_named(grid: ModelGrid, source: Path) -> None:
    change = converge(grid, declare(source, properties={"TINY_GREETNIG": "hidden"}))
    assert "TINY_GREETNIG" in change.note
    assert "hidden" not in repr(change)


def test_no_diff_shows_a_value(grid: ModelGrid, source: Path) -> None:
    (source / "secret").write_text("hidden-one")
    first = converge(grid, declare(source, properties={"TINY_GREETING": "hidden-two"}))
    second = converge(grid, declare(source, properties={"TINY_GREETING": "hidden-three"}))
    assert "hidden" not in repr((first, second))
    assert "property TINY_GREETING: changed" in second.after


def test_nothing_changes_when_one_declaration_is_wrong(grid: ModelGrid, source: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "compose.yaml").write_text("{")
    declared = [*declare(source), *parse([{"name": "broken", "directory": str(tmp_path / "broken")}, {"name": "none"}])]
    with pytest.raises(DefinitionError) as caught:
        reconcile(grid.applications(), declared)
    first, second = str(caught.value).splitlines()
    assert first.startswith("broken: Compose cannot read")
    assert second == "none: none is not on this grid, and no directory to make it from was given."
    assert grid.state.applications() == []


def test_wishes_for_moves_are_checked_when_provisioning(grid: ModelGrid, source: Path) -> None:
    compose = json.loads((source / "compose.yaml").read_text())
    (source / "compose.yaml").write_text(json.dumps({**compose, "x-mig": {"helth_timeout": 5}}))
    with pytest.raises(DefinitionError, match="x-mig has the unknown key 'helth_timeout'"):
        reconcile(grid.applications(), declare(source))
    assert grid.state.applications() == []


def test_what_failed_to_start_is_started_by_the_next_run(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(tiny(source, ports=["8080:80"])))
    here = grid.applications()
    (source / "conf" / "motd").write_text("changed\n")
    assert isinstance(here.engine, ModelEngine)
    here.engine.faults.taken.add(8080)
    with pytest.raises(EngineError, match="8080"):
        reconcile(here, declare(source))
    assert state_of(grid) is not Standing.RUNNING
    change = converge(grid, declare(source))
    assert (change.action, change.standing) == (Action.START, "running")


def test_a_container_that_ends_is_not_waited_for(grid: ModelGrid, source: Path) -> None:
    here = grid.applications()
    assert isinstance(here.engine, ModelEngine)
    here.engine.faults.exits = True
    with pytest.raises(UnhealthyError, match="tiny-web-1 is exited with exit status 1"):
        reconcile(here, declare(source))


def test_start_and_stop_are_timed(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    grid.applications().stop("tiny")
    grid.applications().start("tiny")
    seconds = grid.state.seconds("tiny")
    assert set(seconds) == {"start", "stop"}
    assert all(0 <= value < 10 for value in seconds.values())


def test_one_that_moved_away_is_left_alone(grid: ModelGrid, source: Path) -> None:
    grid.state.write_right("tiny", RightRecord(Right.GONE, MOVE, target_grid="grid-b", target_app="tiny2"))
    change = converge(grid, declare(source))
    assert (change.action, change.moved_to) == (Action.LEAVE, ("grid-b", "tiny2"))
    assert change.note == "tiny moved away to grid-b as tiny2; nothing was changed"
    with pytest.raises(RightError, match=r"tiny moved away to grid-b as tiny2\. .* -e app=tiny2 -e target_grid=grid-a"):
        grid.applications().start("tiny")
    assert state_of(grid) is Standing.MOVED


def test_while_a_move_holds_it(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    grid.lock("tiny")
    assert not converge(grid, declare(source)).changed
    (source / "conf" / "motd").write_text("changed\n")
    change = converge(grid, declare(source))
    assert change.action is Action.LEAVE
    assert f"tiny is held by the move {MOVE}" in change.note
    for verb in ("start", "stop", "destroy"):
        with pytest.raises(LockedError, match=f"mig-grid move follow {MOVE}"):
            getattr(grid.applications(), verb)("tiny")
    with pytest.raises(DefinitionError, match=f"held by the move {MOVE}"):
        reconcile(grid.applications(), declare(None, state="absent"))
    assert state_of(grid) is Standing.MOVING
    assert grid.engine().runs("tiny")


def test_one_whose_right_a_move_took_does_not_start(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    grid.applications().stop("tiny")
    grid.state.write_right("tiny", RightRecord(Right.RELEASED, MOVE, target_grid="grid-b", target_app="tiny"))
    with pytest.raises(RightError, match="mig-grid release-lock tiny"):
        grid.applications().start("tiny")
    assert not grid.engine().runs("tiny")


def test_a_project_started_by_hand(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    record = grid.state.record("tiny")
    assert record
    byhand = replace(record.definition, directory=source, files=(source / "compose.yaml",), env_files=())
    grid.applications().destroy("tiny")
    grid.engine().start(byhand)
    observed = grid.applications().known("tiny")
    assert (standing(observed), observed.managed) == (Standing.RUNNING, False)
    with pytest.raises(DefinitionError, match=f"was started by hand from {source}"):
        reconcile(grid.applications(), declare(source))
    grid.applications().stop("tiny")
    assert policies(grid) == ["no"]
    grid.applications().start("tiny")
    assert policies(grid) == ["always"]
    grid.applications().destroy("tiny")
    assert (source / "compose.yaml").exists()
    assert grid.applications().all() == []


def test_an_external_volume_outlives_the_application(grid: ModelGrid, source: Path) -> None:
    compose = json.loads((source / "compose.yaml").read_text())
    (source / "compose.yaml").write_text(json.dumps({**compose, "volumes": {"store": {"external": True}}}))
    grid.engine().make_tree(Tree("store", TreeKind.VOLUME, "store", external=True))
    converge(grid, declare(source))
    grid.applications().destroy("tiny")
    assert list(grid.engine().info().volumes) == ["store"]


def test_who_asks_for_what_there_is_not(grid: ModelGrid, source: Path) -> None:
    converge(grid, declare(source))
    with pytest.raises(UnknownError, match="There is no application shop on this grid; there are: tiny"):
        grid.applications().start("shop")
