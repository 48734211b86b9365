"""The command `migctl` as it runs in the container: with grid_info, a key, and a real sshd for each grid."""

from __future__ import annotations

import getpass
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from owned_grids import OwnedGrids, gate_command
from real_sshd import Sshd, make_key

from migrid.migctl import container
from migrid.migctl.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sshd]]:
    """The SSH services of both grids, which know one key."""
    found = {name: Sshd(tmp_path_factory.mktemp(name)) for name in ("grid-a", "grid-b")}
    found["grid-b"].public_key = found["grid-a"].public_key
    yield found
    for sshd in found.values():
        sshd.stop()


@pytest.fixture
def config(grids: OwnedGrids, services: dict[str, Sshd]) -> Path:
    """The config volume of the shop, as its owner prepares it."""
    place = grids.a.engine().place("shop_store")
    entries = []
    for grid in (grids.a, grids.b):
        sshd = services[grid.name]
        sshd.let_in(" ".join(gate_command(grid, "ada")))
        entries.append(
            f"{grid.name}:\n  controller: 127.0.0.1:{sshd.port}\n  user: {getpass.getuser()}\n"
            f"  host_key: {' '.join(sshd.host_key.split()[:2])}\n"
        )
    (place / "grid_info").write_text("".join(entries))
    shutil.copy(services["grid-a"].key, place / "private_key")
    (place / "private_key").chmod(0o644)
    return place


@pytest.fixture
def migctl(grids: OwnedGrids, config: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(container, "own_id", lambda: grids.container(grids.a, "shop"))

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["--config", str(config), *arguments])
        return (status, *capfd.readouterr())

    return run


def test_a_move_from_the_command_line(grids: OwnedGrids, migctl: Run, config: Path) -> None:
    assert migctl("status") == (0, "This is shop on grid-a.\nNo move is under way.\n", "")
    assert migctl("grids")[1].splitlines()[1].startswith("grid-b  26.1.5")
    assert "predicted downtime" in migctl("plan", "grid-b")[1]
    status, output, _ = migctl("start", "grid-b", "--action", "snapshot", "--cut-over", "now")
    assert (status, "a stopped copy" in output) == (0, True)
    assert not (config / "3tera" / "lock").exists()
    history = migctl("history")[1].splitlines()
    assert history[1].split()[1:] == ["snapshot", "grid-a", "grid-b", "shop", "snapshotted"]
    assert "preflight" in migctl("log", "grid-b", history[1].split()[0])[1]
    assert stat.S_IMODE((config / "3tera" / "ssh" / "id_ed25519").stat().st_mode) == 0o600


def test_a_cancelled_move(grids: OwnedGrids, migctl: Run) -> None:
    assert migctl("start", "grid-b", "--cut-over", "2099-01-01T00:00:00Z", "--detach")[0] == 0
    assert "The lock file: migrate to grid-b as shop" in migctl("status")[1]
    assert migctl("cancel")[0] == 0
    status, output, _ = migctl("follow")
    assert (status, "cancelled" in output) == (1, True)
    assert migctl("status")[1].splitlines()[1] == "No move is under way."


def test_errors_are_one_message(migctl: Run, config: Path) -> None:
    status, output, errors = migctl("start", "grid-c")
    assert (status, output) == (1, "")
    assert errors == "migctl: grid_info names no grid grid-c; there are grid-a, grid-b.\n"
    assert migctl("plan", "grid-b", "--cut-over", "soon")[0] == 2
    (config / "3tera").mkdir(exist_ok=True)
    (config / "3tera" / "lock").write_text("{")
    status, _, errors = migctl("status")
    assert (status, "is damaged" in errors) == (1, True)
    (config / "grid_info").write_text("grid-a: x")
    assert "grid_info, line 1, grid-a: this is not a mapping" in migctl("grids")[2]
    assert migctl("forget")[0] == 0
    assert not (config / "3tera" / "lock").exists()


def test_a_host_that_is_another_one(migctl: Run, config: Path, tmp_path: Path) -> None:
    other = " ".join(make_key(tmp_path / "other").split()[:2])
    info = (config / "grid_info").read_text()
    known = info.split("host_key: ")[2].strip()
    (config / "grid_info").write_text(info.replace(known, other))
    assert "host key is not the one in" in migctl("grids")[1]
    assert "put its new key into grid_info" in migctl("grids")[1]


def test_a_key_that_is_not_there(migctl: Run, config: Path) -> None:
    (config / "private_key").unlink()
    assert "private_key cannot be read: No such file" in migctl("status")[2]
