"""MigHelper's part in the monitor of a move: when it begins, what it asks of the source, and that it never matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sample_verbs import APP, APPLICATION, FACTS, MOVE
from test_starting_moves import asked

from migrid.grid import monitoring
from migrid.grid.application import Page, Wishes
from migrid.grid.clock import SystemClock
from migrid.grid.errors import EngineError, UnreachableError
from migrid.grid.monitoring import Monitoring
from migrid.grid.moves import monitored
from migrid.grid.moves.journal import Failure, Journal
from migrid.grid.moves.monitored import MonitorSecrets
from migrid.grid.moves.phases import Phase
from migrid.grid.moves.run import Known
from migrid.grid.sides import Action
from migrid.grid.state import State

SECRETS = MonitorSecrets("00" * 32, "certificate", "key", may_act=True, asks_for_login=True)
GRACE = 0.3
FORWARDED = (APP, MOVE, "192.0.2.1", 28500)
BEFORE = (Phase.PREFLIGHT, Phase.LOCK, Phase.IMAGES, Phase.PROVISION, Phase.PRECOPY)


class FakeMonitors:
    """Notes which moves have a monitor."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.away = False

    def start(self, move: str, target_app: str) -> int:
        if self.away:
            raise EngineError("The engine is away.")
        self.running[target_app] = move
        return 28500

    def remove(self, target_app: str) -> None:
        self.running.pop(target_app, None)


class FakeSource:
    """Notes what it is asked to forward, and when."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.at = 0.0
        self.away = False

    def forward_page(self, *arguments: Any) -> None:
        self.at = time.time()
        self.asked.append(arguments)
        if self.away:
            raise UnreachableError("Grid grid-b does not answer.")


class Rig:
    """A move up to its copy, and what shows it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.directory = state.move_directory(MOVE)
        self.directory.mkdir(parents=True)
        monitored.leave_secrets(self.directory, SECRETS)
        self.monitors, self.source = FakeMonitors(), FakeSource()
        self.journal = Journal(self.directory / "journal.jsonl", Action.SNAPSHOT, SystemClock())

    def monitoring(self) -> Monitoring:
        return Monitoring(self.state, MOVE, asked(action="snapshot"), self.monitors, self.way)

    def way(self) -> AbstractContextManager[Any]:
        return nullcontext(self.source)

    def reach(self, *phases: Phase) -> None:
        for phase in phases:
            self.journal.begin(phase)
            self.journal.done(phase)

    @property
    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def rig(grid_a: State, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(monitoring, "GRACE", GRACE)
    monkeypatch.setattr(monitoring, "POLL", 0.01)
    made = Rig(grid_a)
    wishes = replace(APPLICATION, wishes=Wishes(page=Page("web", 80)))
    made.reach(*BEFORE)
    made.journal.note(known=Known(wishes, FACTS, FACTS, {}), survey={})
    yield made
    made.journal.close()


def ended(thread: threading.Thread) -> None:
    thread.join(10)
    assert not thread.is_alive()


def test_the_page_is_forwarded_once_the_application_has_been_stopped_for_a_moment(rig: Rig) -> None:
    showing = rig.monitoring()
    showing.start()
    assert rig.source.asked == []
    rig.reach(Phase.STOP)
    ended(showing)
    assert rig.source.asked == [FORWARDED]
    assert rig.source.at - rig.journal.position.ended[Phase.STOP] >= GRACE
    assert monitored.place_of(rig.directory) == "192.0.2.1:28500"
    assert rig.log == ""


def test_the_monitor_may_be_reached_elsewhere(rig: Rig) -> None:
    monitored.leave_secrets(rig.directory, replace(SECRETS, address="2001:db8::7"))
    rig.reach(Phase.STOP)
    rig.monitoring().run()
    assert rig.source.asked == [(APP, MOVE, "2001:db8::7", 28500)]
    assert monitored.place_of(rig.directory) == "[2001:db8::7]:28500"


def test_another_mighelper_does_the_same_again(rig: Rig) -> None:
    rig.reach(Phase.STOP)
    for _ in range(2):
        rig.monitoring().run()
    assert rig.source.asked == [FORWARDED, FORWARDED]
    assert rig.monitors.running == {"shop": MOVE}


def test_nothing_begins_before_the_copying(rig: Rig) -> None:
    (rig.directory / "journal.jsonl").unlink()
    showing = rig.monitoring()
    showing.start()
    showing.join(10 * monitoring.POLL)
    assert showing.is_alive()
    showing.end()
    assert (rig.monitors.running, monitored.place_of(rig.directory)) == ({}, "")


def test_a_short_stop_is_not_worth_it(rig: Rig) -> None:
    showing = rig.monitoring()
    showing.start()
    while not monitored.place_of(rig.directory):
        assert showing.is_alive()
        time.sleep(0.01)
    rig.reach(Phase.STOP, Phase.DELTA, Phase.RESUME_SOURCE)
    ended(showing)
    assert (rig.source.asked, rig.monitors.running) == ([], {"shop": MOVE})


def test_nothing_is_forwarded_for_a_move_that_turns_back(rig: Rig) -> None:
    rig.reach(Phase.STOP)
    rig.journal.failed(Failure(Phase.STOP, "EngineError", "it still runs"))
    rig.monitoring().run()
    assert rig.source.asked == []


def test_nothing_is_forwarded_for_an_application_without_a_page(rig: Rig, grid_a: State) -> None:
    (rig.directory / "journal.jsonl").unlink()
    journal = Journal(rig.directory / "journal.jsonl", Action.SNAPSHOT, SystemClock())
    for phase in (*BEFORE, Phase.STOP):
        journal.begin(phase)
        journal.done(phase)
    journal.note(known=Known(APPLICATION, FACTS, FACTS, {}), survey={})
    journal.close()
    rig.monitoring().run()
    assert (rig.source.asked, monitored.place_of(rig.directory)) == ([], "192.0.2.1:28500")


def test_a_move_without_secrets_has_no_monitor(rig: Rig) -> None:
    monitored.remove(rig.directory)
    rig.monitoring().run()
    assert (rig.monitors.running, monitored.place_of(rig.directory)) == ({}, "")


def test_what_fails_is_a_warning_and_nothing_else(rig: Rig) -> None:
    rig.reach(Phase.STOP)
    rig.monitors.away = True
    rig.monitoring().run()
    assert "warning: the page cannot be seen while the application is stopped: The engine is away." in rig.log
    rig.monitors.away, rig.source.away = False, True
    rig.monitoring().run()
    assert "Grid grid-b does not answer." in rig.log
    (rig.directory / "monitor.json").write_text("{")
    rig.monitoring().run()
    assert rig.log.count("warning:") == 3


def test_nothing_begins_after_the_end(rig: Rig) -> None:
    waiting, late = rig.monitoring(), rig.monitoring()
    waiting.start()
    waiting.end()
    assert not waiting.is_alive()
    rig.monitors.remove("shop")
    late.end()
    late.run()
    assert (rig.monitors.running, rig.source.asked) == ({}, [])


def test_secrets_are_for_nobody_else_and_go_without_a_trace(tmp_path: Path) -> None:
    monitored.leave_secrets(tmp_path, MonitorSecrets("5ec7e7", "CERT", "5ec7e7 too", True, True))
    assert (tmp_path / "monitor.json").stat().st_mode & 0o777 == 0o600
    assert "5ec7e7" not in repr(monitored.secrets_of(tmp_path))
    monitored.make_room(tmp_path)
    monitored.tell_place(tmp_path, monitored.Place("192.0.2.1", 28500))
    monitored.remove(tmp_path)
    monitored.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []
