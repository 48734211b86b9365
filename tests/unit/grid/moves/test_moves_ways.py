"""Moves as operators ask for them, and what is on both grids afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from moves_world import APP, PORT, World, compose_file, unspied

from migrid.grid import names
from migrid.grid.application import Level
from migrid.grid.errors import EngineError, LockedError, RightError
from migrid.grid.moves import asking, control
from migrid.grid.moves.phases import Phase
from migrid.grid.moves.report import Result, read
from migrid.grid.moves.request import DestroySource
from migrid.grid.moves.run import lock_of
from migrid.grid.sides import Action, Forward, Right

HOOKS = {
    "hooks": {
        "pre_stop": [{"service": "db", "command": ["flush"]}],
        "post_resume": [{"service": "db", "command": ["thaw"]}],
        "post_start": [{"service": "db", "command": ["warm"]}],
        "hand_over": [{"service": "web", "command": ["dns"]}],
    }
}


def test_a_migration_reports_what_it_did(world: World) -> None:
    world.a.engine.stop_seconds, world.b.engine.start_seconds = 2.0, 3.0

    report = world.run(world.request())

    assert report.result is Result.MIGRATED
    assert 5.0 <= report.downtime_seconds <= 8.0
    assert report.rounds >= 2
    assert report.bytes_before_stop > report.bytes_in_stop > 0
    assert report.verified
    assert [(forward.port.host_port, forward.address, forward.target_port) for forward in report.forwards] == [
        (PORT, "grid-b.example.org", PORT)
    ]
    assert world.a.forwarder.forwards(APP) == report.forwards
    assert read(world.b.state.move_directory(report.move)) == report
    assert world.b.state.seconds(APP)["stop"] == pytest.approx(2.0)
    assert world.b.state.seconds(APP)["start"] > 3.0


def test_no_port_is_forwarded_that_the_application_did_not_publish(world: World) -> None:
    lock = lock_of(world.request(), names.new_move(), world.clock.time())
    world.a.source.lock(lock)
    own = Forward(world.a.source.describe(APP).ports[0], "192.0.2.1", PORT)
    foreign = replace(own, port=replace(own.port, host_port=22))
    world.a.source.forward(APP, lock.move, [own, foreign])
    assert world.a.forwarder.forwards(APP) == (own,)


def test_the_project_directory_travels_with_its_secrets(world: World) -> None:
    world.run(world.request())
    assert (world.b.state.project_directory(APP) / "secret.txt").read_text() == "sesame\n"
    assert not (world.root / "projects" / APP).exists()


def test_there_and_back_ends_the_forwarding(world: World) -> None:
    world.run(world.request())
    back = world.run(world.request(source_grid="grid-b", target_grid="grid-a"))
    assert back.result is Result.MIGRATED, world.log(back)
    assert world.a.forwarder.forwards(APP) == ()
    assert world.b.forwarder.forwards(APP) != ()
    assert world.writes_on(world.a) == world.load.acknowledged
    assert world.a.state.right(APP).right is Right.HERE


def test_a_failed_way_back_leaves_the_marker_and_the_forwarding(world: World) -> None:
    there = world.run(world.request())
    world.a.engine.faults.exits = True
    back = world.run(world.request(source_grid="grid-b", target_grid="grid-a"))
    assert back.result is Result.ROLLED_BACK
    assert world.load.running == {("grid-b", APP)}
    assert world.a.state.right(APP).right is Right.GONE
    assert world.a.state.right(APP).target_grid == "grid-b"
    assert world.a.forwarder.forwards(APP) == there.forwards


def test_it_can_have_another_name_on_arrival(world: World) -> None:
    report = world.run(world.request(target_app="kiosk"))
    assert report.result is Result.MIGRATED, world.log(report)
    assert world.load.running == {("grid-b", "kiosk")}
    assert world.writes_on(world.b, "kiosk") == world.load.acknowledged
    assert world.b.inventory()["networks"] == ["kiosk_default"]


def test_properties_of_the_target_grid_apply_on_arrival_and_not_on_the_way_back(world: World) -> None:
    world.b.configure({APP: {"SHOP_PORT": "9090"}})
    report = world.run(world.request())
    assert [forward.target_port for forward in report.forwards] == [9090]
    world.run(world.request(source_grid="grid-b", target_grid="grid-a"))
    assert {port.host_port for item in world.a.engine.containers(APP) for port in item.ports} == {PORT}


def test_a_kept_source_is_stopped_for_good(world: World) -> None:
    world.run(world.request(destroy_source=DestroySource.KEEP))
    world.a.engine.restart(1.0)
    world.clock.spend(500.0)
    assert world.load.running == {("grid-b", APP)}
    assert world.a.state.right(APP).right is Right.GONE
    assert world.a.engine.info().volumes == ("shop_data",)
    with pytest.raises(RightError, match="grid-b"):
        world.a.source.describe(APP)


def test_a_snapshot_stays_stopped_through_restarts_and_can_then_be_started(world: World) -> None:
    report = world.run(world.request(action=Action.SNAPSHOT))
    assert report.result is Result.SNAPSHOTTED
    world.b.engine.restart(1.0)
    world.clock.spend(5.0)
    assert world.load.running == {("grid-a", APP)}
    record = world.b.state.record(APP)
    assert record is not None
    assert record.stopped
    assert record.settled
    assert world.b.engine.resolve(record.definition)["name"] == APP


def test_a_stopped_application_arrives_stopped(world: World) -> None:
    world.a.engine.stop(APP, None)
    report = world.run(world.request())
    assert report.result is Result.MIGRATED, world.log(report)
    assert world.load.running == set()
    record = world.b.state.record(APP)
    assert record is not None
    assert record.stopped


def test_hooks_run_where_and_when_they_should(world: World) -> None:
    with_hooks(world, HOOKS)
    world.run(world.request())
    assert world.a.engine.commands == [("flush",)]
    assert world.b.engine.commands == [("warm",), ("dns",)]


@pytest.mark.parametrize(("command", "grid"), [("flush", "a"), ("warm", "b")])
def test_a_failed_hook_turns_the_move_back(world: World, command: str, grid: str) -> None:
    with_hooks(world, HOOKS)
    getattr(world, grid).engine.faults.failing_commands.add(command)
    report = world.run(world.request())
    assert report.result is Result.ROLLED_BACK
    assert command in report.error
    assert world.load.running == {("grid-a", APP)}
    assert ("thaw",) in world.a.engine.commands


def test_a_failed_hook_of_the_hand_over_is_only_reported(world: World) -> None:
    with_hooks(world, HOOKS)
    world.b.engine.faults.failing_commands.add("dns")
    report = world.run(world.request())
    assert report.result is Result.MIGRATED
    assert any("dns" in warning for warning in report.warnings)


def test_cut_over_now_copies_one_round(world: World) -> None:
    assert world.run(world.request(cut_over="now")).rounds == 1


def test_rounds_go_on_until_the_chosen_time(world: World) -> None:
    moment = world.clock.now + 3600.0
    stopped = []

    def note(event: str, data: Mapping[str, object]) -> None:
        if "stop_began" in data:
            stopped.append(world.clock.now)

    world.journalled = note
    report = world.run(world.request(cut_over=datetime.fromtimestamp(moment, UTC).isoformat()))
    assert report.result is Result.MIGRATED
    assert report.rounds > 10
    assert stopped[0] == pytest.approx(moment, abs=2.0)


def test_the_time_can_be_changed_under_way(world: World) -> None:
    name = names.new_move()

    def change(event: str, data: object) -> None:
        if "round 3" in str(data):
            control.cut_over(world.b.state.move_directory(name), "now")

    world.journalled = change
    later = datetime.fromtimestamp(world.clock.now + 3600.0, UTC).isoformat()
    assert world.run(world.request(cut_over=later), name).rounds == 3


def test_cancelled_while_it_waits_for_its_time(world: World) -> None:
    name = names.new_move()

    def cancel(event: str, data: object) -> None:
        if "round 3" in str(data):
            control.cancel(world.b.state.move_directory(name), Action.MIGRATE)

    world.journalled = cancel
    later = datetime.fromtimestamp(world.clock.now + 3600.0, UTC).isoformat()
    report = world.run(world.request(cut_over=later), name)
    assert report.result is Result.CANCELLED
    assert world.load.running == {("grid-a", APP)}


def test_a_finished_move_only_reports_again(world: World) -> None:
    report = world.run(world.request())
    assert world.run(world.request(), report.move) == report


def test_what_changed_under_way_is_not_stopped(world: World) -> None:
    def change(event: str, data: object) -> None:
        if "round 1" in str(data):
            definition = world.a.engine.projects()[APP]
            (definition.directory / "compose.json").write_text(
                json.dumps(compose_file(volumes={"data": {}, "more": {}}))
            )
            world.a.engine.start(definition)

    world.journalled = change
    report = world.run(world.request())
    assert report.result is Result.ROLLED_BACK
    assert "changed" in report.error
    assert report.downtime_seconds == 0


def test_a_volume_of_somebody_else_is_neither_overwritten_nor_removed(world: World) -> None:
    def plant(event: str, data: object) -> None:
        if event == "begin" and "provision" in str(data):
            tree = world.a.source.describe(APP).trees[1]
            world.b.engine.make_tree(replace(tree, labels={}))
            (world.b.engine.place("shop_data") / "precious").touch()

    world.journalled = plant
    report = world.run(world.request())
    assert report.result is Result.ROLLED_BACK
    assert (world.b.engine.place("shop_data") / "precious").exists()


def test_after_the_point_of_no_return_what_cannot_be_done_is_left_and_said(world: World) -> None:
    def break_source(event: str, data: object) -> None:
        if event == "begin" and "destroy_source" in str(data):
            world.a.engine.remove_tree = refuse  # type: ignore[assignment, method-assign]

    def refuse(tree: object) -> None:
        raise EngineError("volume is in use")

    world.journalled = break_source
    report = world.run(world.request())
    assert report.result is Result.MIGRATED
    assert report.warnings == ("destroy_source could not be done: volume is in use",)
    assert any("still to be removed" in place for place in report.where)
    assert world.load.running == {("grid-b", APP)}


def test_while_the_source_is_away_the_report_already_says_what_was_reached(world: World) -> None:
    name, seen = names.new_move(), []

    def cut(event: str, data: object) -> None:
        if event == "begin" and "hand_over" in str(data):
            world.link.down_until = world.clock.now + 7200.0

    world.journalled = cut
    world.clock.watchers.append(lambda: seen.append(read(world.b.state.move_directory(name))))
    report = world.run(world.request(), name)
    interim = [found for found in seen if found and found.left_to_do]
    assert interim
    assert interim[0].result is Result.MIGRATED
    assert "does not answer" in interim[0].left_to_do[0]
    assert report.left_to_do == ()
    assert "destroy_source" in report.phases


def test_the_plan_says_what_there_is_and_leaves_nothing_behind(world: World) -> None:
    before = world.a.inventory(), world.b.inventory()
    plan = asking.make_plan(world.request(), world.a.source, world.b.target, names.new_move(), world.clock)
    assert not plan.blocked
    assert plan.survey is not None
    assert plan.survey.files > 3
    assert {item.name for item in plan.items} >= {"shop_data", "shop-web:1", "shop-db:1"}
    assert plan.downtime_seconds > 0
    assert "predicted downtime" in plan.text()
    assert (world.a.inventory(), world.b.inventory()) == before


def test_the_plan_names_every_obstacle(world: World) -> None:
    world.b.engine.faults.taken.add(PORT)
    world.b.engine.faults.space = 10
    world.run(world.request(action=Action.SNAPSHOT, target_app="taken"))
    world.b.engine.faults.space = 10
    plan = asking.make_plan(
        world.request(target_app="taken"), world.a.source, world.b.target, names.new_move(), world.clock
    )
    blocking = {found.check for found in plan.findings if found.level is Level.BLOCKS}
    assert {"ports", "disk"} <= blocking


def test_a_second_move_is_refused_with_the_lock_that_holds_it(world: World) -> None:
    errors = []

    def start_another(event: str, data: object) -> None:
        if event == "begin" and "precopy" in str(data) and not errors:
            errors.append(world.run(world.request(target_app="other")).error)

    world.journalled = start_another
    assert world.run(world.request()).result is Result.MIGRATED
    assert "is locked" in errors[0]
    assert "override_lock" in errors[0]


def test_a_move_whose_start_was_forestalled_fails_before_it_changes_anything(world: World) -> None:
    def forestall(event: str, data: object) -> None:
        if event == "begin" and "lock" in str(data):
            world.journalled = unspied
            assert world.run(world.request()).result is Result.MIGRATED

    world.journalled = forestall
    report = world.run(world.request(target_app="other"))
    assert report.result is Result.FAILED
    assert world.load.running == {("grid-b", APP)}


def test_another_port_by_a_property_of_the_target_lets_the_application_in(world: World) -> None:
    world.b.configure({APP: {"SHOP_PORT": "9090"}})
    world.b.engine.faults.taken.add(PORT)
    report = world.run(world.request())
    assert report.result is Result.MIGRATED, world.log(report)


def test_another_port_that_is_taken_too_is_noticed_before_the_stop(world: World) -> None:
    world.b.configure({APP: {"SHOP_PORT": "9090"}})
    world.b.engine.faults.taken.update({PORT, 9090})
    report = world.run(world.request())
    assert report.result is Result.ROLLED_BACK
    assert report.failed_phase == Phase.PRECOPY.value
    assert report.downtime_seconds == 0.0
    assert "9090" in report.error


def test_preflight_refuses_before_anything_is_changed(world: World) -> None:
    world.b.engine.faults.taken.add(PORT)
    report = world.run(world.request())
    assert report.result is Result.FAILED
    assert report.failed_phase == Phase.PREFLIGHT.value
    assert str(PORT) in report.error
    assert world.a.state.lock(APP) is None


def with_hooks(world: World, wishes: object) -> None:
    definition = world.a.engine.projects()[APP]
    (definition.directory / "compose.json").write_text(json.dumps(compose_file(**{"x-mig": wishes})))


def test_two_drivers_do_not_carry_out_one_move(world: World) -> None:
    name = names.new_move()
    refused = []

    def again(event: str, data: object) -> None:
        if event == "begin":
            with pytest.raises(LockedError, match=name):
                world.move(world.request(), name).run()
            refused.append(data)

    world.journalled = again
    world.run(world.request(), name)
    assert len(refused) == 14


def test_what_a_dead_plan_left_is_swept(world: World) -> None:
    died = names.new_move()
    lock = replace(lock_of(world.request(), died, 0.0), lease=900.0)
    world.a.source.lock(lock)
    world.a.source.trees(APP, died).close()
    assert world.a.source.sweep() == []
    with pytest.raises(LockedError):
        world.a.source.lock(replace(lock, move=names.new_move()))

    world.clock.spend(901.0)

    assert world.a.source.sweep() == [f"{APP} is free again: the plan {died} did not return its lock"]
    assert world.a.engine.movers() == frozenset()
    assert world.run(world.request()).result is Result.MIGRATED


def test_a_mover_that_nobody_holds_is_swept_when_it_is_old(world: World) -> None:
    old, young = "20200101T000000-00000000", time.strftime("%Y%m%dT%H%M%S-00000001", time.gmtime(world.clock.time()))
    for move in (old, young):
        world.b.engine.mover(move, [], writable=True)
    assert world.b.source.sweep() == [f"the mover of {old} is removed: nobody needs it"]
    assert world.b.engine.movers() == {young}
