"""What the guard of a grid does in one pass."""

from __future__ import annotations

import dataclasses
import socket
import threading
from pathlib import Path

import pytest
from fake_helpers import FakeHelpers
from sample_verbs import LOCK
from test_starting_moves import asked, finish

from migrid.grid import helper
from migrid.grid.errors import EngineError
from migrid.grid.guard import Guard
from migrid.grid.state import State


class FakeLeases:
    def __init__(self) -> None:
        self.lapsed: list[str] = []
        self.away = False

    def resume_lapsed(self) -> list[str]:
        if self.away:
            raise EngineError("The engine is away.")
        lapsed, self.lapsed = self.lapsed, []
        return lapsed

    def sweep(self) -> list[str]:
        return []


@pytest.fixture
def helpers() -> FakeHelpers:
    return FakeHelpers()


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def guard(grid_a: State, leases: FakeLeases, helpers: FakeHelpers) -> Guard:
    return Guard(grid_a, leases, helpers)


def test_a_pass_without_anything_to_do_does_nothing(guard: Guard) -> None:
    assert guard.one_pass() == []


def test_what_lost_its_move_runs_again(guard: Guard, leases: FakeLeases) -> None:
    leases.lapsed = ["shop"]
    assert guard.one_pass() == ["shop runs here again: its move was not heard of for longer than its lease"]
    assert guard.one_pass() == []


def test_a_move_gets_a_new_driver(grid_a: State, guard: Guard, helpers: FakeHelpers) -> None:
    move = helper.start_move(grid_a, asked(), helpers).move
    assert guard.one_pass() == []
    helpers.die("shop")
    assert guard.one_pass() == [f"move {move} goes on: its MigHelper did not run"]
    assert helpers.running == {"shop": move}
    helpers.remove("shop")
    assert guard.one_pass() == [f"move {move} goes on: its MigHelper did not run"]


def test_of_two_moves_of_one_name_the_newest_is_driven(
    grid_a: State, guard: Guard, helpers: FakeHelpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "migrid.grid.names.new_move", iter(["20261121T000001-00000000", "20261121T000002-00000000"]).__next__
    )
    old = helper.start_move(grid_a, asked(), helpers).move
    new = helper.start_move(grid_a, asked(action="snapshot", override_lock=True), helpers).move
    assert guard.one_pass() == []
    finish(grid_a, new)
    assert guard.one_pass() == [f"move {old} goes on: its MigHelper did not run"]


def test_a_driver_whose_move_is_over_is_removed(grid_a: State, guard: Guard, helpers: FakeHelpers) -> None:
    move = helper.start_move(grid_a, asked(), helpers).move
    finish(grid_a, move)
    assert guard.one_pass() == [f"move {move} is over: its MigHelper is removed"]
    assert helpers.running == {}
    assert guard.one_pass() == []


def test_a_driver_of_an_unknown_move_is_left_alone(guard: Guard, helpers: FakeHelpers) -> None:
    helpers.start("20261121T000001-00000000", "shop")
    assert guard.one_pass() == []
    assert helpers.running


def test_one_failure_does_not_keep_it_from_the_rest(
    grid_a: State, guard: Guard, helpers: FakeHelpers, leases: FakeLeases
) -> None:
    move = helper.start_move(grid_a, asked(), helpers).move
    helpers.die("shop")
    leases.away = True
    done = guard.one_pass()
    assert done == ["resume: The engine is away.", f"move {move} goes on: its MigHelper did not run"]


def test_damaged_files_of_one_move_do_not_hinder_others(grid_a: State, guard: Guard, helpers: FakeHelpers) -> None:
    move = helper.start_move(grid_a, asked(), helpers).move
    helpers.die("shop")
    for number, content in enumerate(["{", '{"app": 1}']):
        broken = grid_a.move_directory(f"2026112{number}T000001-00000000")
        broken.mkdir()
        (broken / "request.json").write_text(content)
    assert guard.one_pass() == [f"move {move} goes on: its MigHelper did not run"]


def test_an_application_that_is_being_changed_waits(grid_a: State, guard: Guard, helpers: FakeHelpers) -> None:
    helper.start_move(grid_a, asked(), helpers)
    helpers.die("shop")
    with grid_a.exclusive("shop"):
        assert guard.one_pass() == []
    assert helpers.running == {}


def test_what_stays_wrong_is_logged_once(
    guard: Guard, leases: FakeLeases, helpers: FakeHelpers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    leases.away = helpers.away = True
    passes: list[list[str]] = []
    ended = threading.Event()
    one_pass = guard.one_pass

    def counted() -> list[str]:
        passes.append(one_pass())
        if len(passes) == 3:
            ended.set()
        return passes[-1]

    guard.one_pass = counted
    guard.run(ended, 0.01)
    assert passes == [["resume: The engine is away.", "dismiss: The engine is away."]] * 3
    assert caplog.messages == passes[0]


def test_it_tells_the_service_manager(guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        ended = threading.Event()
        thread = threading.Thread(target=guard.run, args=(ended, 0.01))
        thread.start()
        heard = [manager.recv(99) for _ in range(3)]
        ended.set()
        thread.join()
    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_the_lock_of_a_source_is_none_of_its_business(grid_a: State, guard: Guard) -> None:
    grid_a.write_lock("shop", dataclasses.replace(LOCK))
    assert guard.one_pass() == []
    assert grid_a.lock("shop") == LOCK
