"""Who may run an application, on the grid that a move takes it from and on the one where it arrives."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from moves_faults import Blow, Fault
from moves_world import APP, Killed, World, unnoticed

from migrid.grid import names
from migrid.grid.errors import LockedError, RightError
from migrid.grid.moves.phases import Phase
from migrid.grid.moves.report import Result
from migrid.grid.sides import Action, Lock, Right

LEASE = 120.0


@pytest.fixture
def lock(world: World) -> Lock:
    """A move that has locked the application."""
    lock = Lock(names.new_move(), Action.MIGRATE, "grid-a", APP, "grid-b", APP, world.clock.now)
    world.a.source.lock(lock)
    return lock


def test_a_lapsed_lease_gives_the_right_back_for_good(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)
    assert world.load.running == set()
    world.clock.spend(LEASE + 10)
    assert world.load.running == {("grid-a", APP)}
    with pytest.raises(RightError, match="runs here again"):
        world.a.source.release(APP, lock.move)
    with pytest.raises(RightError, match="runs here again"):
        world.a.source.keep(APP, lock.move, LEASE)


def test_a_kept_lease_does_not_lapse(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)
    for _ in range(10):
        world.clock.spend(LEASE - 10)
        world.a.source.keep(APP, lock.move, LEASE)
    assert world.load.running == set()
    world.a.source.release(APP, lock.move)


def test_a_released_right_never_comes_back_by_itself(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.release(APP, lock.move)
    world.a.source.release(APP, lock.move)
    world.clock.spend(10 * LEASE)
    world.a.engine.restart(1.0)
    world.clock.spend(10 * LEASE)
    assert world.load.running == set()


def test_stopped_containers_stay_stopped_through_engine_restarts(world: World, lock: Lock) -> None:
    """A container with `restart: always` would come back."""
    world.a.source.stop(APP, lock.move, None, 10_000.0)
    world.a.engine.restart(1.0)
    world.clock.spend(100.0)
    assert world.load.running == set()


def test_resume_gives_the_restart_policies_back(world: World, lock: Lock) -> None:
    before = {item.service: item.restart_policy for item in world.a.engine.containers(APP)}
    world.a.source.stop(APP, lock.move, None, LEASE)
    assert {item.restart_policy for item in world.a.engine.containers(APP)} == {"no"}
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.resume(APP, lock.move)
    assert {item.service: item.restart_policy for item in world.a.engine.containers(APP)} == before
    assert before == {"web": "always", "db": "unless-stopped"}
    assert world.load.running == {("grid-a", APP)}


def test_a_resume_that_was_cut_short_is_ended_by_the_guard(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)

    def die(moment: str) -> None:
        if moment == "before grid-a engine start":
            world.reached = unnoticed
            raise Killed

    world.reached = die
    with pytest.raises(Killed):
        world.a.source.resume(APP, lock.move)
    with pytest.raises(RightError):
        world.a.source.release(APP, lock.move)
    assert world.a.source.resume_lapsed() == [APP]
    assert world.load.running == {("grid-a", APP)}
    assert {item.restart_policy for item in world.a.engine.containers(APP)} == {"always", "unless-stopped"}


def test_verbs_without_the_lock_are_refused(world: World, lock: Lock) -> None:
    other = names.new_move()
    for verb in (world.a.source.release, world.a.source.resume, world.a.source.trees):
        with pytest.raises(LockedError, match=lock.move):
            verb(APP, other)
    with pytest.raises(LockedError):
        world.a.source.stop(APP, other, None, LEASE)
    with pytest.raises(LockedError):
        world.a.source.keep(APP, other, LEASE)
    assert world.load.running == {("grid-a", APP)}


def test_a_late_stop_after_the_end_of_a_move_is_refused(world: World, lock: Lock) -> None:
    world.a.source.finish(APP, lock.move)
    with pytest.raises(LockedError):
        world.a.source.stop(APP, lock.move, None, LEASE)


def test_nothing_is_destroyed_that_was_not_released(world: World, lock: Lock) -> None:
    with pytest.raises(RightError):
        world.a.source.destroy(APP, lock.move, "grid-b", APP)
    world.a.source.stop(APP, lock.move, None, LEASE)
    with pytest.raises(RightError):
        world.a.source.destroy(APP, lock.move, "grid-b", APP)
    assert world.a.engine.place("shop_data").exists()


def test_an_override_takes_the_place_of_a_move_that_is_not_heard_of(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, 10_000.0)
    second = replace(lock, move=names.new_move())
    with pytest.raises(LockedError, match=lock.move):
        world.a.source.lock(second)
    world.a.source.lock(replace(second, override=True))
    assert world.load.running == {("grid-a", APP)}
    with pytest.raises(LockedError):
        world.a.source.release(APP, lock.move)


def test_an_override_ends_the_mover_of_the_other_move(world: World, lock: Lock) -> None:
    with closing(world.a.source.trees(APP, lock.move)):
        assert world.a.engine.movers() == {lock.move}
        world.a.source.lock(replace(lock, move=names.new_move(), override=True))
        assert world.a.engine.movers() == set()


def test_an_override_does_not_take_a_released_right(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.release(APP, lock.move)
    with pytest.raises(RightError, match="grid-b"):
        world.a.source.lock(replace(lock, move=names.new_move(), override=True))


def test_an_overriding_run_clears_what_a_dead_one_left_on_the_target(world: World) -> None:
    """The driver dies and nobody starts it again; the lease brings the source back."""
    request = world.request()
    move = world.move(request)
    world.journalled = Blow(world, request, move.directory.name, Fault.DRIVER_KILLED, Phase.DELTA)
    with pytest.raises(Killed):
        move.run()
    world.clock.spend(300.0)
    assert world.load.running == {("grid-a", APP)}
    refused = world.run(request)
    assert refused.result is Result.FAILED
    report = world.run(replace(request, override_lock=True))
    assert report.result is Result.MIGRATED, world.log(report)
    late = world.run(request, move.directory.name)
    assert late.result is Result.ROLLED_BACK
    assert world.load.running == {("grid-b", APP)}
    assert world.load.violations == []
    assert world.writes_on(world.b) == world.load.acknowledged


def test_the_target_does_not_start_what_did_not_arrive(world: World, lock: Lock) -> None:
    with pytest.raises(LockedError):
        world.b.target.start(APP, lock.move)
    world.b.target.lock(lock)
    with pytest.raises(RightError):
        world.b.target.start(APP, lock.move)


def test_the_target_does_not_start_a_snapshot(world: World, lock: Lock) -> None:
    snapshot = replace(lock, action=Action.SNAPSHOT)
    world.b.target.lock(snapshot)
    for image in world.a.source.describe(APP).images:
        world.b.engine.add_image(image)
    world.b.target.provision(world.a.source.describe(APP), snapshot)
    with pytest.raises(RightError, match="snapshot"):
        world.b.target.start(APP, lock.move)


def test_the_marker_says_where_it_went(world: World) -> None:
    report = world.run(world.request(target_app="kiosk"))
    right = world.a.state.right(APP)
    assert (right.right, right.move, right.target_grid, right.target_app) == (
        Right.GONE,
        report.move,
        "grid-b",
        "kiosk",
    )
    with pytest.raises(RightError, match="grid-b, as kiosk"):
        world.a.source.describe(APP)
    assert world.run(world.request()).result is Result.FAILED


def test_an_operator_may_take_a_released_right_back(world: World, lock: Lock) -> None:
    world.a.source.stop(APP, lock.move, None, LEASE)
    world.a.source.release(APP, lock.move)
    world.a.source.take_back(APP)
    assert world.load.running == {("grid-a", APP)}
    assert world.a.state.lock(APP) is None
    assert world.a.state.right(APP).right is Right.HERE


def test_the_move_turns_back_when_its_lease_ran_out(world: World) -> None:
    """The driver is dead for an hour in the middle of the stop."""
    request = world.request()
    move = world.move(request)
    world.journalled = Blow(world, request, move.directory.name, Fault.DRIVER_KILLED, Phase.VERIFY)
    with pytest.raises(Killed):
        move.run()
    world.wait(3600.0)
    assert world.load.running == {("grid-a", APP)}
    report = world.run(request, move.directory.name)
    assert report.result is Result.ROLLED_BACK
    assert "runs here again" in report.error
    assert world.load.longest_down < LEASE + 20
    assert world.writes_on(world.a) == world.load.acknowledged
