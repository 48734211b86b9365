"""The command `mig-grid` as its user sees it: its output and its exit status."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from model_grid import MOVE, ModelGrid

from migrid.grid.moves.phases import Phase
from migrid.grid.moves.progress import MoveProgress
from migrid.grid.moves.report import Report, Result
from migrid.grid.moves.request import Request
from migrid.grid.sides import Action, Right
from migrid.grid.state import RightRecord, write_json


@pytest.fixture
def running(grid: ModelGrid, source: Path) -> ModelGrid:
    """A grid with one application that runs."""
    done = grid.mig_grid("provision", "tiny", str(source), "-p", "TINY_GREETING=hidden", "--start")
    assert (done.returncode, done.stderr) == (0, "")
    return grid


@pytest.fixture
def moved(grid: ModelGrid) -> ModelGrid:
    """A grid to which an application moved."""
    directory = grid.state.move_directory(MOVE)
    write_json(directory / "request.json", Request("shop", "grid-b", "grid-a", "shop2"))
    names = {"app": "shop", "source_grid": "grid-b", "target_grid": "grid-a", "target_app": "shop2"}
    report = Report(MOVE, Action.MIGRATE, result=Result.MIGRATED, downtime_seconds=2.5, verified=True, **names)
    write_json(directory / "report.json", report)
    return grid


def command(grid: ModelGrid, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command itself."""
    program, environment = Path(sys.executable).parent / "mig-grid", {**os.environ, **grid.environment}
    return subprocess.run([program, *arguments], capture_output=True, encoding="utf-8", env=environment, check=False)


def test_it_is_a_command(running: ModelGrid) -> None:
    done = command(running, "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == running.mig_grid("list").stdout


def test_the_life_of_an_application(running: ModelGrid) -> None:
    assert running.mig_grid("list").stdout.splitlines() == [
        "Application  State    Containers  Ports  Managed",
        "tiny         running  1/1                yes",
    ]
    assert running.mig_grid("stop", "tiny").stdout == "tiny is stopped.\n"
    assert running.mig_grid("start", "tiny").stdout == "tiny is running.\n"
    assert running.mig_grid("destroy", "tiny", "--yes").stdout == "tiny and its data were removed.\n"
    assert running.mig_grid("list").stdout == "Application  State  Containers  Ports  Managed\n"


def test_provision_says_what_it_changes(grid: ModelGrid, source: Path) -> None:
    checked = grid.mig_grid("provision", "tiny", str(source), "--check")
    assert checked.stdout.startswith("tiny: provision (file compose.yaml,")
    assert grid.state.applications() == []
    assert grid.mig_grid("provision", "tiny", str(source)).stdout == checked.stdout
    assert grid.mig_grid("provision", "tiny", str(source)).stdout == "tiny: none\n"


def test_properties_come_from_a_file_and_stay(grid: ModelGrid, source: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("# the shop's\nA=one=1\n\nB=two\n")
    provision = ("provision", "tiny", str(source))
    grid.mig_grid(*provision, "--properties-file", str(tmp_path / "secrets"), "-p", "B=three")
    grid.mig_grid(*provision, "-p", "C=four")
    assert json.loads(grid.mig_grid("info", "tiny", "--json").stdout)["properties"] == ["A", "B", "C"]
    assert grid.state.properties_file("tiny").read_text() == 'A="one=1"\nB="three"\nC="four"\n'
    assert stat.S_IMODE(grid.state.properties_file("tiny").stat().st_mode) == 0o600


def test_info_shows_no_value(running: ModelGrid) -> None:
    text = running.mig_grid("info", "tiny").stdout
    assert "Properties: TINY_GREETING" in text
    assert "store   tiny_store  no" in text
    assert "hidden" not in text + running.mig_grid("info", "tiny", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["info", "blog"], 1, "There is no application blog on this grid; there are: tiny."),
        (["info", "../etc"], 2, "'../etc' cannot name an application"),
        (["destroy", "tiny"], 1, "there is no terminal to ask at; give --yes to remove the application"),
        (["provision", "blog", "/nowhere"], 1, "blog: /nowhere is no directory."),
        (["provision", "blog", ".", "-p", "A"], 1, "'A' is no property; write NAME=VALUE."),
        (["move", "follow", MOVE], 1, f"No move has brought {MOVE} to this grid"),
        (["move", "follow", "blog"], 1, "No move has brought blog to this grid"),
        (["move", "start", "tiny", "--from", "grid-b"], 1, "Grid grid-a has no way to grid 'grid-b'"),
        (["move", "start", "tiny", "--from", "grid-b", "--cut-over", "soon"], 2, "cut_over: 'soon' is not accepted"),
        (["unforward", "tiny"], 1, "This grid forwards nothing."),
        (["release-lock", "tiny"], 1, "tiny is running; no move holds it."),
    ],
)
def test_errors_are_one_message(running: ModelGrid, arguments: list[str], status: int, message: str) -> None:
    done = running.mig_grid(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"mig-grid: {message}")
    assert "Traceback" not in done.stderr
    assert "Traceback" in running.mig_grid(*arguments, "--traceback").stderr


def test_a_host_that_is_no_grid(grid: ModelGrid) -> None:
    (grid.state.etc / "grid.json").unlink()
    done = grid.mig_grid("list")
    assert done.returncode == 1
    assert done.stderr.startswith("mig-grid: This host is no grid")


def test_moves_are_listed_and_followed(moved: ModelGrid) -> None:
    lines = moved.mig_grid("moves").stdout.splitlines()
    assert lines[0].split() == ["Move", "Action", "Application", "From", "Here", "Result"]
    assert lines[1].split() == [MOVE, "migrate", "shop", "grid-b", "shop2", "migrated"]
    for name in (MOVE, "shop", "shop2"):
        followed = moved.mig_grid("move", "follow", name)
        assert followed.returncode == 0
        assert followed.stdout.startswith("migrate shop from grid-b to grid-a: migrated\n")
    assert json.loads(moved.mig_grid("move", "follow", MOVE, "--json").stdout)["downtime_seconds"] == 2.5


def test_a_move_that_failed_is_an_exit_status(moved: ModelGrid) -> None:
    directory = moved.state.move_directory(MOVE)
    report = json.loads((directory / "report.json").read_text())
    (directory / "report.json").write_text(json.dumps({**report, "result": "rolled_back", "error": "no space"}))
    followed = moved.mig_grid("move", "follow", MOVE)
    assert followed.returncode == 1
    assert "no space" in followed.stdout


def test_the_progress_of_a_move_is_one_line(moved: ModelGrid) -> None:
    directory = moved.state.move_directory(MOVE)
    (directory / "report.json").unlink()
    now = MoveProgress(
        MOVE, 1.0, Phase.PRECOPY, round=2, bytes=1 << 20, total_bytes=4 << 20, rate=2.0**20, eta_seconds=3
    )
    write_json(directory / "progress.json", now)
    assert (
        moved.mig_grid("moves")
        .stdout.splitlines()[1]
        .endswith("under way: precopy round 2  1.0 MiB of 4.0 MiB (25%)  1.0 MiB/s  3.0 s to go")
    )


def test_cutting_over_at_another_time(moved: ModelGrid) -> None:
    assert moved.mig_grid("move", "cut-over", "shop", "now").returncode == 0
    assert json.loads((moved.state.move_directory(MOVE) / "cut_over").read_text()) == "now"


def test_a_lock_is_released_only_when_told_so(running: ModelGrid) -> None:
    running.lock("tiny")
    said = running.mig_grid("release-lock", "tiny")
    assert said.returncode == 1
    assert said.stdout.splitlines()[-1] == "Nothing was changed; --yes does it."
    assert running.listed()["tiny"]["state"] == "moving"
    assert running.mig_grid("release-lock", "tiny", "--yes").returncode == 0
    assert running.listed()["tiny"]["state"] == "running"


def test_what_a_move_stopped_runs_again_when_released(running: ModelGrid) -> None:
    engine = running.engine()
    ids = {container.id: container.restart_policy for container in engine.containers("tiny")}
    engine.set_restart_policies(dict.fromkeys(ids, "no"))
    engine.stop("tiny", None)
    running.lock("tiny")
    running.state.write_right("tiny", RightRecord(Right.SUSPENDED, MOVE, 4e9, ids, ran=True))
    assert running.mig_grid("start", "tiny").returncode == 1
    assert "is started here again" in running.mig_grid("release-lock", "tiny", "--yes").stdout
    assert running.listed()["tiny"]["state"] == "running"
    assert [container.restart_policy for container in running.engine().containers("tiny")] == ["always"]


def test_what_may_run_elsewhere_needs_more_than_yes(running: ModelGrid) -> None:
    running.mig_grid("stop", "tiny")
    running.lock("tiny")
    right = RightRecord(Right.RELEASED, MOVE, ran=True, target_grid="grid-b", target_app="tiny")
    running.state.write_right("tiny", right)
    refused = running.mig_grid("release-lock", "tiny", "--yes")
    assert refused.returncode == 1
    assert "unless it is stopped there for good it runs twice" in refused.stdout
    assert not running.engine().runs("tiny")
    assert running.mig_grid("release-lock", "tiny", "--yes", "--even-if-it-runs-twice").returncode == 0
    assert running.engine().runs("tiny")


def test_help_names_every_command(grid: ModelGrid) -> None:
    text = command(grid, "--help").stdout.split()
    commands = "list info provision start stop destroy moves plan move forwards unforward release-lock check guard"
    assert set(commands.split()) <= set(text)
    assert {"start", "follow", "cancel", "cut-over", "log"} <= set(command(grid, "move", "--help").stdout.split())
