"""What has come of a copy, told and held to the limit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from moves_world import World

from migrid.grid import names
from migrid.grid.errors import CancelledError
from migrid.grid.local.metering import metered
from migrid.grid.moves import control, progress
from migrid.grid.moves.journal import Journal
from migrid.grid.moves.meter import Meter
from migrid.grid.moves.run import Run
from migrid.grid.sides import Action

LIMIT = 1000


@pytest.fixture
def run(world: World, tmp_path: Path) -> Run:
    directory = tmp_path / names.new_move()
    directory.mkdir()
    asked = replace(world.request(), bandwidth_limit=LIMIT)
    found = Run(asked, world.a.source, world.b.target, directory, world.clock)
    found.journal = Journal(directory / "journal.jsonl", Action.MIGRATE, world.clock)
    return found


def test_what_comes_is_held_to_the_limit_and_told(run: Run, world: World) -> None:
    began, meter = world.clock.time(), Meter(run)
    for _ in range(4):
        meter.let_pass(LIMIT)
    assert world.clock.time() - began == pytest.approx(4.0, abs=0.1)
    told = progress.read(run.directory)
    assert told
    assert told.bytes == 4 * LIMIT
    assert told.rate == pytest.approx(LIMIT, rel=0.1)
    meter.end()
    ended = progress.read(run.directory)
    assert ended
    assert ended.bytes == 0


def test_a_cancelled_move_does_not_wait_for_the_limit(run: Run) -> None:
    control.cancel(run.directory, Action.MIGRATE)
    with pytest.raises(CancelledError):
        Meter(run).let_pass(1000 * LIMIT)


def test_a_stream_says_what_passes() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x" * 1000)
    os.close(writer)
    passed: list[int] = []
    with metered(reader, passed.append) as stream:
        assert stream.read() == b"x" * 1000
    assert sum(passed) == 1000
