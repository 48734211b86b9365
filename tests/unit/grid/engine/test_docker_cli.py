"""How the command `docker` is run."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest
from standin import StandIn

from migrid.grid.application import Definition
from migrid.grid.docker.cli import DockerCli, TimedOutError, compose_arguments
from migrid.grid.errors import EngineError

AWAY = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"


def test_what_it_prints(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"version": {"output": '{"a": 1}'}, "ps": {"output": "one\ntwo\n"}})
    assert docker.cli.json("version") == {"a": 1}
    assert docker.cli.lines("ps", "--quiet") == ["one", "two"]
    assert docker.commands == ["version", "ps --quiet"]


def test_arguments_pass_no_shell(tmp_path: Path) -> None:
    docker = StandIn(tmp_path)
    docker.cli.run("tag", "a; touch b", "$HOME *")
    assert docker.asked[0].arguments == ["tag", "a; touch b", "$HOME *"]


def test_only_what_it_needs_of_the_environment(tmp_path: Path) -> None:
    docker = StandIn(tmp_path)
    needed = {"PATH": "/usr/bin", "HOME": "/root", "DOCKER_HOST": "ssh://x", "SSH_AUTH_SOCK": "/s"}
    others = {"SHOP_PORT": "1", "COMPOSE_FILE": "/x", "COMPOSE_PROJECT_NAME": "y", "PASSWORD": "z"}
    DockerCli(str(tmp_path / "docker"), {**needed, **others}).run("ps")
    seen = docker.asked[0].environment
    assert {name: seen.get(name) for name in needed} == needed
    assert not set(others) & set(seen)


def test_an_error_has_the_commands_own_words_and_a_hint(tmp_path: Path) -> None:
    words = "Error response from daemon: write /x: no space left on device\n"
    docker = StandIn(tmp_path, {"load": {"errors": words, "status": 1}})
    with pytest.raises(EngineError) as caught:
        docker.cli.run("load", "--quiet", "secret-looking")
    assert str(caught.value).startswith("`docker load` failed: Error response from daemon: write /x: no space left")
    assert "docker system df" in str(caught.value)
    assert "secret-looking" not in str(caught.value)


def test_warnings_are_no_part_of_an_error(tmp_path: Path) -> None:
    errors = 'time="x" level=warning msg="The \\"A\\" variable is not set."\nservices.a Additional property x\n'
    docker = StandIn(tmp_path, {"config": {"errors": errors, "status": 15}})
    with pytest.raises(EngineError, match=r"^`docker compose config` failed: services\.a Additional property x$"):
        docker.cli.run("compose", "--project-name", "shop", "config")


def test_an_engine_that_is_away_is_never_taken_for_an_answer(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {key: {"errors": AWAY, "status": 1} for key in ("ps", "inspect")})
    with pytest.raises(EngineError, match="systemctl status docker"):
        docker.cli.try_("ps")
    with pytest.raises(EngineError, match="systemctl status docker"):
        docker.cli.inspect("volume", ["a"])


def test_a_host_without_the_command(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"Install the container engine"):
        DockerCli(str(tmp_path / "docker")).run("ps")


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(EngineError, match=r"did not end within 0\.1 seconds"):
        DockerCli(str(program)).run("ps", timeout=0.1)
    with pytest.raises(TimedOutError):
        DockerCli(str(program)).try_("ps", timeout=0.1)


def test_what_is_not_there_is_left_out_of_an_inspection(tmp_path: Path) -> None:
    docker = StandIn(
        tmp_path, {"inspect": {"output": '[{"Name": "a"}]', "errors": "Error: No such volume: b\n", "status": 1}}
    )
    assert docker.cli.inspect("volume", ["a", "b", "a"]) == [{"Name": "a"}]
    assert docker.asked[0].arguments == ["inspect", "--type", "volume", "--", "a", "b"]
    assert docker.cli.inspect("volume", []) == []
    assert len(docker.asked) == 1


def test_any_other_failure_of_an_inspection_is_an_error(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"inspect": {"output": "[]", "errors": "Error: permission denied\n", "status": 1}})
    with pytest.raises(EngineError, match="permission denied"):
        docker.cli.inspect("volume", ["a"])


def test_a_stream_is_read_to_the_status(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"save a": {"output": "archive"}, "save b": {"errors": "no such image: b", "status": 1}})
    with docker.cli.reading("save", "a") as stream:
        assert stream.read() == b"archive"
    with (
        pytest.raises(EngineError, match="build it, pull it, or load it"),
        docker.cli.reading("save", "b") as stream,
    ):
        stream.read()


def test_a_reader_that_fails_leaves_no_process(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    program.chmod(0o755)
    with pytest.raises(TypeError), DockerCli(str(program)).reading("save") as stream:
        stream.read("not a number")  # type: ignore[arg-type]


def test_a_stream_is_fed_to_its_end(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"load": {"input": True}})
    content = bytes(range(256)) * 10_000
    docker.cli.feed(io.BytesIO(content), "load")
    assert docker.input == content


def test_a_command_that_gives_up_while_it_is_fed_says_why(tmp_path: Path) -> None:
    docker = StandIn(tmp_path, {"load": {"errors": "no space left on device", "status": 1}})
    with pytest.raises(EngineError, match="no space left on device"):
        docker.cli.feed(io.BytesIO(bytes(10_000_000)), "load")


def test_compose_is_told_about_a_definition() -> None:
    definition = Definition(
        "shop",
        Path("/srv/shop"),
        (Path("/srv/shop/a.yaml"), Path("/srv/shop/b.yaml")),
        (Path("/srv/shop/.env"), Path("/etc/p.env")),
    )
    assert " ".join(compose_arguments(definition, "--dry-run")) == (
        "compose --ansi never --project-name shop --project-directory /srv/shop --file /srv/shop/a.yaml"
        " --file /srv/shop/b.yaml --env-file /srv/shop/.env --env-file /etc/p.env --dry-run"
    )
