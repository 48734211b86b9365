"""The container that copies the files of an application."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
from standin import StandIn

from migrid.grid.application import Tree, TreeKind
from migrid.grid.docker import mover as docker_mover
from migrid.grid.docker.mover import Place
from migrid.grid.errors import EngineError

MOVE = "20260102T030405-0123abcd"
TREES = (Tree("data", TreeKind.VOLUME, "shop_data"), Tree("project", TreeKind.DIRECTORY, "/srv/a,b"))


def place(directory: Path) -> Place:
    return Place(MOVE, "helper:1", directory / "run", directory / "state")


def mounts(directory: Path, writable: bool) -> list[str]:
    command = docker_mover.command(place(directory), TREES, writable)
    return [value for option, value in itertools.pairwise(command) if option == "--mount"]


def test_a_sender_can_write_to_no_tree(tmp_path: Path) -> None:
    volume, project, *own = mounts(tmp_path, writable=False)
    assert volume == "type=volume,source=shop_data,target=/trees/data,volume-nocopy,readonly"
    assert project == 'type=bind,"source=/srv/a,b",target=/trees/project,readonly'
    assert not any(str(tmp_path / "state") in mount for mount in own)


def test_a_receiver_can_and_remembers_what_has_arrived(tmp_path: Path) -> None:
    volume, project, *own = mounts(tmp_path, writable=True)
    assert "readonly" not in volume + project
    state = tmp_path / "state"
    assert f"type=bind,source={state},target={state}" in own


def test_it_has_no_network_and_only_the_power_over_files(tmp_path: Path) -> None:
    command = docker_mover.command(place(tmp_path), TREES, writable=False)
    text = " ".join(command)
    assert "--network none --read-only" in text
    assert "--cap-drop ALL" in text
    powers = {value for option, value in itertools.pairwise(command) if option == "--cap-add"}
    assert powers == {
        *("DAC_OVERRIDE", "DAC_READ_SEARCH", "CHOWN", "FOWNER", "FSETID", "MKNOD", "SETFCAP", "SYS_ADMIN"),
    }
    assert "--privileged" not in command


def test_its_end_takes_its_snapshots_and_its_socket(tmp_path: Path) -> None:
    there = place(tmp_path)
    there.run.mkdir()
    docker = StandIn(tmp_path, {"inspect --type volume": {"output": '[{"Name": "x"}]'}})
    docker_mover.remove(docker.cli, there)
    end, _, clear, volume = docker.commands
    assert end == f"rm --force mig_mover_{MOVE}"
    assert clear.endswith("helper:1 -m migrid.grid.docker.subvolume clear /snapshots")
    assert volume == f"volume rm mig_snapshots_{MOVE}"
    assert not there.run.exists()


def test_what_is_not_there_needs_no_end(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"inspect": {"output": "[]"}})
    docker_mover.remove(docker.cli, place(tmp_path))
    assert len(docker.commands) == 2


def test_a_grid_without_the_image_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"playbooks/grids\.yml"):
        docker_mover.start(StandIn(tmp_path).cli, dataclasses.replace(place(tmp_path), image=""), TREES, False)


def test_a_mover_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"inspect": {"output": "[]"}, "logs": {"errors": "no module named x"}})
    with pytest.raises(EngineError, match=f"mig_mover_{MOVE}.* does not run: no module named x"):
        docker_mover.start(docker.cli, place(tmp_path), TREES, False)
