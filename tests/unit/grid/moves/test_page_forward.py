"""What leads the page of an application to the monitor of its move, while the application is stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from moves_faults import Blow, Fault
from moves_promises import ENDS, check_data, check_leftovers, check_sides, inventories
from moves_world import APP, PORT, Killed, World, new_world, unnoticed

from migrid.grid import names
from migrid.grid.application import Port
from migrid.grid.errors import LockedError
from migrid.grid.moves.phases import Phase
from migrid.grid.moves.report import Result
from migrid.grid.moves.request import DestroySource
from migrid.grid.sides import Action, Forward, Lock, Right

LEASE = 120.0
MONITOR = ("grid-b.example.org", 28500)
PAGE = (Forward(Port("web", 80, "tcp", PORT), *MONITOR),)


def say_page(world: World, **page: Any) -> None:
    """Let the Compose file say where the page is."""
    file = world.root / "projects" / APP / "compose.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"x-mig": {"page": page}}))


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as made:
        say_page(made, service="web", port=80)
        yield made


@pytest.fixture
def lock(world: World) -> Lock:
    """A move that has stopped the application."""
    lock = Lock(names.new_move(), Action.MIGRATE, "grid-a", APP, "grid-b", APP, world.clock.now)
    world.a.source.lock(lock)
    world.a.source.stop(APP, lock.move, None, LEASE)
    return lock


def forwarded(world: World) -> tuple[Forward, ...]:
    return world.a.forwarder.forwards(APP)


def forward_page(world: World, move: str) -> None:
    world.a.source.forward_page(APP, move, *MONITOR)


class Monitor:
    """Has the page forwarded as soon as the application is stopped."""

    def __init__(self, world: World, then: Any = lambda *_: None) -> None:
        self.seen: list[tuple[Forward, ...]] = []
        self._world = world
        self._then = then

    def __call__(self, event: str, data: Mapping[str, Any]) -> None:
        if (event, data.get("phase")) == ("done", Phase.STOP.value):
            lock = self._world.a.state.lock(APP)
            assert lock
            forward_page(self._world, lock.move)
            self.seen.append(forwarded(self._world))
        self._then(event, data)


def test_only_the_published_port_of_the_page_is_forwarded(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)
    forward_page(world, lock.move)
    assert forwarded(world) == PAGE
    assert world.load.running == set()


def test_another_monitor_of_the_move_takes_its_place(world: World, lock: Lock) -> None:
    world.a.source.forward_page(APP, lock.move, "grid-b.example.org", 28501)
    forward_page(world, lock.move)
    assert forwarded(world) == PAGE


@pytest.mark.parametrize("page", [{}, {"service": "web", "port": 443}, {"service": "db", "port": 80}])
def test_nothing_is_forwarded_for_a_page_that_is_not_published(world: World, lock: Lock, page: dict[str, Any]) -> None:
    say_page(world, **page)
    forward_page(world, lock.move)
    assert forwarded(world) == ()


def test_nothing_is_forwarded_while_the_application_runs(world: World) -> None:
    lock = Lock(names.new_move(), Action.MIGRATE, "grid-a", APP, "grid-b", APP, world.clock.now)
    world.a.source.lock(lock)
    forward_page(world, lock.move)
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.resume(APP, lock.move)
    forward_page(world, lock.move)
    assert forwarded(world) == ()


def test_another_move_is_refused(world: World, lock: Lock) -> None:
    with pytest.raises(LockedError, match=lock.move):
        forward_page(world, names.new_move())
    world.a.source.finish(APP, lock.move)
    with pytest.raises(LockedError):
        forward_page(world, lock.move)
    assert forwarded(world) == ()


def test_a_resume_ends_it_before_it_starts_the_application(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)
    world.a.source.resume(APP, lock.move)
    assert (forwarded(world), world.load.running) == ((), {("grid-a", APP)})
    assert world.load.violations == []


def test_so_does_the_guard_when_the_move_is_not_heard_of(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)
    world.clock.spend(LEASE + 10)
    assert (forwarded(world), world.load.running) == ((), {("grid-a", APP)})
    assert world.load.violations == []


def test_so_does_the_operator_who_takes_a_released_right_back(world: World, lock: Lock) -> None:
    world.a.source.release(APP, lock.move)
    forward_page(world, lock.move)
    assert forwarded(world) == PAGE
    world.a.source.take_back(APP)
    assert (forwarded(world), world.load.running) == ((), {("grid-a", APP)})
    assert world.load.violations == []


def test_a_resume_that_was_cut_short_is_ended_with_it(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)

    def die(moment: str) -> None:
        if moment == "after grid-a state write_right":
            world.reached = unnoticed
            raise Killed

    world.reached = die
    with pytest.raises(Killed):
        world.a.source.resume(APP, lock.move)
    assert forwarded(world) == PAGE
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.resume(APP, lock.move)
    assert (forwarded(world), world.load.running) == ((), {("grid-a", APP)})
    assert world.load.violations == []


def test_what_users_are_led_to_takes_its_place_and_keeps_it(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)
    world.a.source.release(APP, lock.move)
    there = (Forward(Port("web", 80, "tcp", PORT), "grid-b.example.org", 9090),)
    world.a.source.forward(APP, lock.move, there)
    forward_page(world, lock.move)
    world.a.source.finish(APP, lock.move)
    assert forwarded(world) == there


def test_the_end_of_the_move_ends_what_nothing_took_the_place_of(world: World, lock: Lock) -> None:
    forward_page(world, lock.move)
    world.a.source.release(APP, lock.move)
    world.a.source.finish(APP, lock.move)
    assert forwarded(world) == ()
    right = world.a.state.right(APP)
    assert (right.right, right.page) == (Right.GONE, ())


@pytest.mark.parametrize("keep", DestroySource)
def test_a_migration_leads_the_page_to_the_monitor_and_then_to_the_application(
    world: World, keep: DestroySource
) -> None:
    world.journalled = monitor = Monitor(world)
    before = inventories(world)
    report = world.run(world.request(destroy_source=keep))
    assert report.result is Result.MIGRATED, world.log(report)
    assert monitor.seen == [PAGE]
    assert forwarded(world) == report.forwards != ()
    check_sides(world, report)
    check_data(world, report)
    if keep is DestroySource.AFTER_HEALTHY:
        check_leftovers(world, report, before)


def test_a_target_that_publishes_nothing_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.journalled = monitor = Monitor(world)
    monkeypatch.setattr(world.b.target, "forwards", lambda *_: ())
    report = world.run(world.request())
    assert report.result is Result.MIGRATED, world.log(report)
    assert (monitor.seen, forwarded(world)) == ([PAGE], ())


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("fault", [Fault.DRIVER_KILLED, Fault.SOURCE_ENGINE_RESTART, Fault.CANCEL])
@pytest.mark.parametrize("phase", [Phase.DELTA, Phase.VERIFY, Phase.RELEASE, Phase.START, Phase.HAND_OVER])
def test_however_the_move_goes_on_it_ends_well(world: World, action: Action, fault: Fault, phase: Phase) -> None:
    """Nothing runs twice or on a forwarded port, nothing is lost, and nothing leads to the monitor in the end."""
    before, request, name = inventories(world), world.request(action=action), names.new_move()
    world.journalled = Monitor(world, Blow(world, request, name, fault, phase))
    report = world.run(request, name)
    assert PAGE[0] not in forwarded(world)
    check_sides(world, report)
    check_data(world, report)
    check_leftovers(world, report, before)


def test_a_move_that_turns_back_ends_it(world: World) -> None:
    world.journalled = monitor = Monitor(world)
    world.b.engine.faults.exits = True
    report = world.run(world.request())
    assert report.result not in ENDS.values(), world.log(report)
    assert (monitor.seen, forwarded(world)) == ([PAGE], ())
    check_sides(world, report)
    check_data(world, report)
