"""The container of a monitor."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from standin import StandIn

from migrid.grid.errors import EngineError
from migrid.grid.helpers import DockerHelpers
from migrid.grid.monitors import DockerMonitors
from migrid.grid.moves import monitored
from migrid.grid.moves.monitored import MonitorSecrets
from migrid.grid.state import Configuration, State, write_json

MOVE = "20260102T030405-0123abcd"
SECRETS = MonitorSecrets("5ec7e7", "5ec7e7", "5ec7e7", may_act=True, asks_for_login=True)


def container(move: str = MOVE, running: bool = True, port: str = "28517") -> dict[str, Any]:
    return {
        "State": {"Running": running},
        "Config": {"Labels": {"mig.monitor": move}},
        "NetworkSettings": {"Ports": {"8443/tcp": [{"HostIp": "0.0.0.0", "HostPort": port}]} if running else {}},  # noqa: S104
    }


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "state", tmp_path / "etc")
    write_json(made.etc / "grid.json", Configuration("grid-b", "192.0.2.2", "helper:1"))
    monitored.leave_secrets(made.move_directory(MOVE), SECRETS)
    return made


def engine(directory: Path, *found: dict[str, Any]) -> StandIn:
    return StandIn(directory, {"inspect": {"output": json.dumps(found)}})


def run(docker: StandIn) -> list[str]:
    return next(call.arguments for call in docker.asked if call.arguments[0] == "run")


def test_it_sees_the_directory_of_its_move_and_writes_to_its_own_only(tmp_path: Path, state: State) -> None:
    docker = engine(tmp_path, container(running=False))
    with pytest.raises(EngineError, match="MigMonitor_shop does not run"):
        DockerMonitors(docker.cli, state).start(MOVE, "shop")
    command = run(docker)
    options = list(itertools.pairwise(command))
    directory = state.move_directory(MOVE)
    mounts = [value for option, value in options if option == "--volume"]
    assert mounts == [f"{directory}:{directory}:ro", f"{directory}/monitor:{directory}/monitor"]
    assert (directory / "monitor").stat().st_mode & 0o777 == 0o700
    assert {("--cap-drop", "ALL"), ("--memory", "128m"), ("--tmpfs", "/tmp")} <= set(options)  # noqa: S108
    assert ("--publish", "28500-28599:8443") in options
    assert "--read-only" in command
    assert not {"--network", "--privileged", "--cap-add", "--env"} & set(command)
    assert "docker.sock" not in " ".join(command)


def test_no_secret_is_in_its_command_line(tmp_path: Path, state: State) -> None:
    docker = engine(tmp_path, container("another"))
    assert DockerMonitors(docker.cli, state).start(MOVE, "shop") == 28517
    assert all("5ec7e7" not in " ".join([*call.arguments, *call.environment.values()]) for call in docker.asked)
    assert [command.split()[0] for command in docker.commands].count("rm") == 1


def test_one_that_runs_is_left_alone(tmp_path: Path, state: State) -> None:
    docker = engine(tmp_path, container())
    assert DockerMonitors(docker.cli, state).start(MOVE, "shop") == 28517
    assert {command.split()[0] for command in docker.commands} == {"inspect"}


def test_it_goes_with_its_mighelper(tmp_path: Path, state: State) -> None:
    docker = engine(tmp_path, container())
    DockerHelpers(docker.cli, state).remove("shop")
    assert [command for command in docker.commands if command.startswith("rm")] == [
        "rm --force MigMonitor_shop",
        "rm --force MigHelper_shop",
    ]
