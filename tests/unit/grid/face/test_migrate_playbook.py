"""migrate.yml, whole: two grids whose engines are models, a move by a driver in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from model_grid import PROJECT, ModelGrid, tiny
from playing import Inventory

ASKED = ("action", "app", "source_grid", "target_grid", "target_app")
FIGURES = ("downtime_seconds", "predicted_downtime_seconds", "bytes_before_stop", "bytes_in_stop", "rounds")
OUTCOME = ("result", "verified", *FIGURES)


@pytest.fixture
def grids(tmp_path: Path) -> tuple[ModelGrid, ModelGrid]:
    """Two grids that know each other; an application runs on the first."""
    first, second = ModelGrid("grid-a", tmp_path / "grid-a"), ModelGrid("grid-b", tmp_path / "grid-b")
    first.build({"grid-b": second.root})
    second.build({"grid-a": first.root})
    provisioned = first.mig_grid("provision", "tiny", str(tiny(tmp_path / "tiny")), "--start")
    assert provisioned.returncode == 0, provisioned.stderr
    return first, second


@pytest.fixture
def inventory(tmp_path: Path, grids: tuple[ModelGrid, ModelGrid]) -> Inventory:
    return Inventory(tmp_path, grids)


def wanted(**options: str) -> list[str]:
    return [f"--extra-vars={name}={value}" for name, value in {"app": "tiny", **options}.items()]


def test_a_move_with_its_report(inventory: Inventory, grids: tuple[ModelGrid, ModelGrid]) -> None:
    first, second = grids
    played = inventory.play("migrate.yml", *wanted(target_grid="grid-b", target_app="tiny2", cut_over="now"))
    assert played.status == 0, played.output
    assert first.listed()["tiny"]["explanation"] == "moved away to grid-b as tiny2"
    assert second.listed()["tiny2"]["state"] == "running"
    assert "It goes on when this playbook is interrupted." in played.output
    assert "migrate tiny from grid-a to grid-b: migrated" in played.output
    [named] = re.findall(r"The report is in (build/moves/\S+\.json)", played.output)
    report = json.loads((PROJECT / named).read_text())
    assert report["move"] == Path(named).stem, "another move at the same time has another file"
    assert {*ASKED, *OUTCOME} <= set(report)
    assert (report["app"], report["target_app"], report["result"], report["verified"]) == (
        "tiny",
        "tiny2",
        "migrated",
        True,
    )
    stats = played.custom_stats()
    assert stats["moved"] == {name: report[name] for name in ASKED}
    assert {name: stats[name] for name in OUTCOME} == {name: report[name] for name in OUTCOME}


def test_a_plan_changes_nothing(inventory: Inventory, grids: tuple[ModelGrid, ModelGrid]) -> None:
    first, second = grids
    played = inventory.play("migrate.yml", *wanted(target_grid="grid-b"), "--check")
    assert played.status == 0, played.output
    assert "predicted downtime" in played.output
    assert "WHAT IS COPIED" in played.output
    assert played.custom_stats()["result"] == "planned"
    assert played.results()["grid-b"]["changed"] == "0"
    assert first.listed()["tiny"]["state"] == "running"
    assert second.listed() == {}
    assert second.state.moves() == []


def test_a_plan_with_something_to_mend_fails(
    inventory: Inventory, grids: tuple[ModelGrid, ModelGrid], tmp_path: Path
) -> None:
    assert grids[1].mig_grid("provision", "tiny", str(tmp_path / "tiny")).returncode == 0
    played = inventory.play("migrate.yml", *wanted(target_grid="grid-b", plan_only="true", action="snapshot"))
    assert played.status != 0
    assert "There is an application tiny on grid-b already" in played.output
    assert played.custom_stats()["moved"]["action"] == "snapshot"


def test_an_interrupted_playbook_leaves_the_move_going(
    inventory: Inventory, grids: tuple[ModelGrid, ModelGrid]
) -> None:
    """Rounds go on until a time far away, so that there is a move to take up."""
    first, second = grids
    playing = inventory.start("migrate.yml", *wanted(target_grid="grid-b", cut_over="2099-01-01T00:00:00Z"))
    assert playing.stdout
    for line in playing.stdout:
        if "precopy" in line:
            break
    os.killpg(playing.pid, signal.SIGKILL)
    playing.communicate()
    assert first.listed()["tiny"]["state"] == "moving"
    again = inventory.play("migrate.yml", *wanted(target_grid="grid-b", cut_over="now"))
    assert again.status == 0, again.output
    assert "was under way already and is taken up" in again.output
    assert len(second.state.moves()) == 1
    assert (first.listed()["tiny"]["state"], second.listed()["tiny"]["state"]) == ("moved away", "running")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targetgrid": "grid-b"}, "targetgrid is no option of a move; did you mean target_grid?"),
        ({"target_grid": "grid-b", "app": "blog"}, "grid-a has tiny (running)"),
    ],
)
def test_wrong_input_is_refused(inventory: Inventory, options: dict[str, str], message: str) -> None:
    played = inventory.play("migrate.yml", *wanted(**options))
    assert played.status != 0
    assert message in " ".join(played.output.split())
    assert "Traceback" not in played.output
