"""What an engine is and has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import captured
import pytest
from standin import StandIn

from migrid.grid.docker.cli import DockerCli
from migrid.grid.docker.info import read_info
from migrid.grid.errors import EngineError


def answers(directory: Path, **info: Any) -> dict[str, Any]:
    """An engine with the shop, whose own directory is this one."""
    return {
        "version --format": {"output": captured.text("version.json")},
        "info": {"output": json.dumps({**captured.data("info"), "DockerRootDir": str(directory), **info})},
        "compose version": {"output": "2.26.1-4\n"},
        "inspect --type container": {"output": captured.text("containers.json")},
        "inspect --type image": {"output": captured.text("images.json")},
        "inspect --type network": {"output": captured.text("networks.json")},
        "volume ls": {"output": "shop_database\n"},
        "run": {"output": "1000 4096 btrfs\n"},
        "ls": {"output": "id\n"},
        "ps": {"output": "id\n"},
    }


def test_an_engine(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    found = read_info(StandIn(tmp_path, answers(tmp_path)).cli, "")
    assert (found.version, found.api_version, found.compose_version) == ("26.1.5+dfsg1", "1.45", "2.26.1-4")
    assert (found.architecture, found.os, found.storage_driver) == ("amd64", "linux", "overlay2")
    assert found.keeps_layers
    assert len(found.layers) == 4
    assert set(found.images) == {"busy:1", "busy:old", "shopweb:1", "shop-renamed:latest"}
    assert found.volumes == ("shop_database",)
    assert found.subnets["172.31.9.0/24"] == "shop_fixed"
    assert "shop-web-1" in found.container_names
    assert found.free_bytes > 0
    assert found.memory_bytes > 0


def test_ports_of_running_containers_are_taken(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    found = read_info(StandIn(tmp_path, answers(tmp_path)).cli, "")
    assert ("", 8080, "tcp", "container shop-web-1") in found.published
    assert [who for _, port, protocol, who in found.published if (port, protocol) == (8080, "tcp")] == [
        "container shop-web-1"
    ]


def test_a_store_that_wants_whole_archives_tells_no_layers(tmp_path: Path) -> None:
    (tmp_path / "volumes").mkdir()
    store = [["driver-type", "io.containerd.snapshotter.v1"]]
    found = read_info(StandIn(tmp_path, answers(tmp_path, DriverStatus=store)).cli, "")
    assert not found.keeps_layers
    assert found.layers == ()


def test_a_directory_that_is_not_visible_is_looked_at_from_a_container(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, answers(Path("/nowhere")))
    found = read_info(docker.cli, "helper:1")
    assert (found.free_bytes, found.copy_on_write) == (4096000, True)
    (command,) = (command for command in docker.commands if command.startswith("run"))
    assert "--network none --read-only" in command
    assert "source=/nowhere/volumes,target=/volumes,readonly" in command
    assert command.endswith("--entrypoint stat helper:1 --file-system --format %a %S %T /volumes")


def test_without_an_image_to_look_from_that_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="/nowhere/volumes is not visible here"):
        read_info(StandIn(tmp_path, answers(Path("/nowhere"))).cli, "")


def test_what_the_engine_loses_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, lost, run = StandIn(tmp_path, answers(Path("/nowhere"))), iter(["", "\n"]), DockerCli.run

    def forgetful(self: DockerCli, *arguments: str, **options: float) -> str:
        text = run(self, *arguments, **options)
        return next(lost, text) if arguments[0] == "run" else text

    monkeypatch.setattr(DockerCli, "run", forgetful)
    assert read_info(asked.cli, "helper:1").free_bytes == 4096000
    assert sum(command.startswith("run") for command in asked.commands) == 3


def test_an_engine_that_loses_everything_is_an_error(tmp_path: Path) -> None:
    silent = {**answers(Path("/nowhere")), "run": {"output": ""}}
    with pytest.raises(EngineError, match="lost what `stat` said of /nowhere/volumes"):
        read_info(StandIn(tmp_path, silent).cli, "helper:1")
