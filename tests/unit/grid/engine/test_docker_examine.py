"""What only the engine knows of an application."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import captured
import pytest
from standin import StandIn

from migrid.grid.application import Definition
from migrid.grid.docker.examine import Examination, absolute_paths, environment_files, overlay_difference, written

SHOP = [captured.container(name) for name in ("shop-db-1", "shop-web-1", "shop-tool")]
STRANGER = captured.container("shop-db-1", Id="stranger", Name="/backup")
EMPTY = {"output": "{}"}


def examined(directory: Path, answers: dict[str, Any] | None = None, members: Any = SHOP) -> list[tuple[str, str]]:
    """The findings about the shop, of which this directory is the project directory, and nothing else to say."""
    docker = StandIn(directory, {**(answers or {}), "config": EMPTY, "inspect": {"output": "[]"}})
    definition = Definition("shop", directory, (directory / "compose.yaml",))
    found = Examination(docker.cli, definition, captured.data("model"), members).findings()
    return [(item.check, item.level.value) for item in found]


def test_nothing_is_said_of_a_plain_application(tmp_path: Path) -> None:
    assert examined(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "level"), [("/etc/web.env", "blocks"), ("{}/web.env", None), ("$PLACE/web.env", None)]
)
def test_environment_files(tmp_path: Path, path: str, level: str | None) -> None:
    model = {"services": {"web": {"env_file": [{"path": path.format(tmp_path), "required": True}]}}}
    found = examined(tmp_path, {"--no-interpolate": {"output": json.dumps(model)}})
    assert found == ([("environment_files", level)] if level else [])


@pytest.mark.parametrize("given", ["/a", ["/a"], [{"path": "/a", "required": True}]])
def test_environment_files_in_each_form(given: object) -> None:
    assert environment_files({"env_file": given}) == ["/a"]
    assert environment_files({}) == []


def test_a_definition_that_needs_what_is_beside_its_directory(tmp_path: Path) -> None:
    refused = {"errors": "stat /tmp/x/a/b/c/common.env: no such file or directory", "status": 14}
    assert examined(tmp_path, {"config --format json": refused}) == [("elsewhere", "blocks")]


def test_a_definition_that_names_its_own_place(tmp_path: Path) -> None:
    mounts = [{"type": "bind", "source": f"{tmp_path}/data", "target": "/x"}]
    model = json.dumps({"services": {"web": {"volumes": mounts}}})
    assert examined(tmp_path, {"--no-interpolate": EMPTY, "config --format json": {"output": model}}) == [
        ("elsewhere", "blocks")
    ]


def test_paths_that_do_not_follow_the_directory() -> None:
    model = {
        "services": {"web": {"volumes": [{"type": "bind", "source": "/srv/shop/a"}, {"type": "volume"}]}},
        "secrets": {"key": {"file": "/srv/shop/key"}, "other": {"environment": "X"}},
        "configs": {"c": {"file": "/elsewhere/c"}},
    }
    assert absolute_paths(model, Path("/srv/shop")) == ["/srv/shop/a", "/srv/shop/key"]
    assert absolute_paths({}, Path("/srv/shop")) == []


def test_what_compose_would_make_anew(tmp_path: Path) -> None:
    found = examined(tmp_path, {"--dry-run": {"errors": captured.text("dry_run.txt")}})
    assert found == [*[("definition_changed", "warns")] * 2, ("variables", "warns")]


def test_what_compose_would_leave_alone(tmp_path: Path) -> None:
    lines = [line for line in captured.text("dry_run.txt").splitlines() if "Running" in line]
    assert examined(tmp_path, {"--dry-run": {"errors": "\n".join(lines)}}) == []


def test_what_was_written_outside_of_volumes() -> None:
    assert written(captured.text("diff.txt"), []) == ["/etc/written", "/newdir/f"]


@pytest.mark.parametrize(
    "listing",
    [
        "C /var\nC /var/lib\nA /var/lib/data",
        "C /run\nA /run/x.pid",
        "C /tmp\nA /tmp/x",
        "A /app\nA /app/__pycache__\nA /app/__pycache__/x.pyc",
        "D /etc/removed",
        "C /sbin\nA /sbin/docker-init",
        "C /mnt\nA /mnt/x\nA /mnt/x/y",
        "",
    ],
)
def test_what_is_no_news(listing: str) -> None:
    assert written(listing, ["/var/lib/data", "/mnt/x/y"]) == []


def test_what_containers_wrote_is_named(tmp_path: Path) -> None:
    assert examined(tmp_path, {"diff": {"output": captured.text("diff.txt")}}) == [("written", "warns")] * 3


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """A mounted overlay, as a container has it, over an image with some files."""
    directories = {name: tmp_path / name for name in ("lower", "upper", "work", "merged")}
    for directory in directories.values():
        directory.mkdir()
    for name in ("etc/motd", "etc/old", "usr/bin/tool"):
        (directories["lower"] / name).parent.mkdir(parents=True, exist_ok=True)
        (directories["lower"] / name).write_text(name)
    options = ",".join(f"{name}dir={directories[name]}" for name in ("lower", "upper", "work"))
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(directories["merged"])]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no overlay: {done.stderr.strip()}")
    yield directories["merged"]
    subprocess.run(["umount", directories["merged"]], check=True)


def test_what_overlay2_keeps_apart_is_not_asked_of_the_engine(tmp_path: Path, overlay: Path) -> None:
    (overlay / "etc/motd").write_text("changed")
    (overlay / "etc/old").unlink()
    (overlay / "srv").mkdir()
    (overlay / "srv/a b").write_text("new")
    (overlay / "srv/link").symlink_to("/etc")
    upper = {"Name": "overlay2", "Data": {"UpperDir": str(tmp_path / "upper")}}
    assert written(overlay_difference(tmp_path / "upper"), []) == ["/etc/motd", "/srv/a b", "/srv/link"]
    refused = {"diff": {"errors": "not to be asked", "status": 1}}
    assert examined(tmp_path, refused, [{**SHOP[0], "GraphDriver": upper}]) == [("written", "warns")]


def test_a_container_of_compose_run_ends_with_the_application(tmp_path: Path) -> None:
    once = captured.container("shop-run")
    assert examined(tmp_path, members=[*SHOP, once]) == [("one_offs", "warns")]
    ended = captured.container("shop-run", State__Running=False)
    assert examined(tmp_path, members=[*SHOP, ended]) == []


def test_a_volume_that_others_write_to(tmp_path: Path) -> None:
    others = {"ps": {"output": "stranger\n"}, "inspect --type container": {"output": json.dumps([STRANGER])}}
    assert examined(tmp_path, others) == [("shared_volumes", "blocks")]
    alone = {**STRANGER, "Mounts": []}
    others["inspect --type container"] = {"output": json.dumps([alone])}
    assert examined(tmp_path, others) == []


def test_a_volume_that_the_definition_forgot(tmp_path: Path) -> None:
    assert examined(tmp_path, {"volume ls": {"output": "shop_database\nshop_old\n"}}) == [
        ("forgotten_volumes", "warns")
    ]
    assert examined(tmp_path, {"volume ls": {"output": "shop_database\n"}}) == []


def test_a_network_that_others_use(tmp_path: Path) -> None:
    networks = [item for item in captured.data("networks") if item["Name"] == "shop_fixed"]
    answers = {
        "network ls": {"output": networks[0]["Id"]},
        "inspect --type network": {"output": json.dumps(networks)},
    }
    assert examined(tmp_path, answers) == []
    networks[0]["Containers"]["stranger"] = {"Name": "backup"}
    answers["inspect --type network"] = {"output": json.dumps(networks)}
    assert examined(tmp_path, answers) == [("shared_networks", "warns")]
