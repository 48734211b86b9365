"""Whole moves between two grids with model engines, whose only connection is a real sshd and the real gate."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gate_host import GateHost
from real_sshd import Sshd

from migrid.grid.application import Definition, Image
from migrid.grid.local.target import LocalTarget
from migrid.grid.model.engine import ModelEngine
from migrid.grid.moves.move import Move
from migrid.grid.moves.report import Report, Result
from migrid.grid.moves.request import parse
from migrid.grid.sides import Right
from migrid.grid.state import State

COMPOSE = {
    "services": {"web": {"image": "web:1", "volumes": ["data:/data"], "restart": "always"}},
    "volumes": {"data": {}},
}
CONTENT = bytes(range(256)) * 4096


class Grids:
    """grid-a, behind sshd, has the application; grid-b is here."""

    def __init__(self, place: Path, sshd: Sshd) -> None:
        self.host = GateHost(place / "a", sshd, "model_gate.py")
        self.host.configure(engine="model")
        self.here = State(place / "b/state", place / "b/etc")
        self.here.etc.mkdir(parents=True)
        grid = {"name": "grid-b", "address": "192.0.2.2", "peers": {"grid-a": {"address": "192.0.2.1"}}}
        (self.here.etc / "grid.json").write_text(json.dumps(grid))
        self._start_application(place / "project")
        self.engine = ModelEngine(self.here.root / "engine")
        self.remote = self.host.remote()

    def source_engine(self) -> ModelEngine:
        return ModelEngine(self.host.state.root / "engine")

    def move(self, **options: Any) -> Report:
        request = parse({"app": "shop", "source_grid": "grid-a", "target_grid": "grid-b", "cut_over": "now", **options})
        target = LocalTarget(self.engine, self.here)
        return Move(request, self.remote, target, self.here.move_directory("20261121T101112-0123abcd")).run()

    def _start_application(self, project: Path) -> None:
        project.mkdir()
        (project / "compose.yaml").write_text(json.dumps(COMPOSE))
        engine = self.source_engine()
        engine.add_image(Image("sha256:aa", "web:1", ("web",), ("sha256:cc",), 1000, "amd64"))
        engine.start(Definition("shop", project, (project / "compose.yaml",), (), ("web",)))
        data = engine.place("shop_data")
        (data / "file").write_bytes(CONTENT)
        (data / "link").symlink_to("/nowhere")


@pytest.fixture
def grids(tmp_path: Path, sshd: Sshd) -> Iterator[Grids]:
    grids = Grids(tmp_path, sshd)
    yield grids
    grids.remote.close()


def test_a_migration(grids: Grids) -> None:
    report = grids.move()
    assert (report.result, report.error, report.verified) == (Result.MIGRATED, "", True)
    assert grids.engine.runs("shop")
    assert (grids.engine.place("shop_data") / "file").read_bytes() == CONTENT
    assert not grids.source_engine().runs("shop")
    assert not grids.source_engine().place("shop_data").exists()
    assert grids.host.state.right("shop").right is Right.GONE
    assert grids.host.state.lock("shop") is None


def test_a_snapshot_under_another_name(grids: Grids) -> None:
    report = grids.move(action="snapshot", target_app="copy")
    assert (report.result, report.error, report.verified) == (Result.SNAPSHOTTED, "", True)
    assert not grids.engine.runs("copy")
    assert (grids.engine.place("copy_data") / "file").read_bytes() == CONTENT
    assert grids.source_engine().runs("shop")
    assert grids.host.state.lock("shop") is None


def test_a_move_survives_connections_that_break(grids: Grids) -> None:
    ended = threading.Event()
    killed: list[int] = []
    breaker = threading.Thread(target=_break_connections, args=(ended, killed))
    breaker.start()
    try:
        report = grids.move()
    finally:
        ended.set()
        breaker.join()
    assert (report.result, report.error, report.verified) == (Result.MIGRATED, "", True)
    assert (grids.engine.place("shop_data") / "file").read_bytes() == CONTENT
    assert not grids.source_engine().runs("shop")
    assert killed


def _break_connections(ended: threading.Event, killed: list[int]) -> None:
    """Kill every SSH client of this process, three times."""
    for _ in range(3):
        if ended.wait(0.7):
            return
        for child in _children():
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{child}/comm").read_text().strip() == "ssh":
                    os.kill(child, signal.SIGKILL)
                    killed.append(child)


def _children() -> Iterator[int]:
    """The processes that this one has started, without those that end meanwhile."""
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, (task / "children").read_text().split())
