"""Real faults in real moves: each ends with the shop in one place, all of it, and nothing left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from proof import faults
from proof.fixtures import APP, Place, find, runs
from proof.grids import Grid
from proof.moves import Operator
from proof.shop import PORT, Shop
from proof.waiting import until

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def test_everybody_dies_while_it_is_copied(place: Place, operator: Operator) -> None:
    """Ansible, MigHelper, and both engines; the second run finds the move and brings it to its end, although MigHelper
    dies twice between the two who may run."""
    kill = faults.kill_helper(APP)
    struck = faults.strikes(place.there, {"precopy": "true", "release": kill, "start": kill})
    first = operator.start_move(app=APP, target_grid=place.there.name, cut_over=LATER)
    move = struck.happened("precopy")
    first.kill()
    place.there.run(kill)
    again(place.there, move, "MigHelper goes on after its death")
    faults.crash_engine(place.there)
    again(place.there, move, "MigHelper goes on after the engine's crash")
    faults.restart_engine(place.here.grid)
    place.here.wait()

    other = operator.move(app=APP, target_grid=place.there.name, target_app="other").failed()
    assert move in other
    report = operator.move(app=APP, target_grid=place.there.name, cut_over="now").succeeded()
    assert {struck.happened("release"), struck.happened("start"), report["move"]} == {move}
    assert report["result"] == "migrated"
    assert runs(place.there)


def again(target: Grid, move: str, what: str) -> None:
    """Wait until MigHelper is at work: it has begun its phase once more."""
    begun = len(target.journal(move))
    until(lambda: len(target.journal(move)) > begun, what, 60)


def test_a_move_that_nothing_stops(place: Place, operator: Operator) -> None:
    """MigHelper dies in each phase that other tests leave alone. Before the last copy the source's engine restarts, and
    before the proof of it the network breaks."""
    deaths = "preflight", "lock", "images", "provision", "hand_over", "destroy_source", "clean_up"
    kill, freeze = faults.kill_helper(APP), faults.to_helper("STOP", APP)
    struck = faults.strikes(place.there, dict.fromkeys(deaths, kill) | dict.fromkeys(("delta", "verify"), freeze))
    run = operator.start_move(app=APP, target_grid=place.there.name)
    struck.happened("delta")
    faults.restart_engine(place.here.grid)
    assert not runs(place.here.grid), "what has no right to run came back with the engine"
    place.there.run(faults.to_helper("CONT", APP))
    struck.happened("verify")
    with faults.cut_off(place.there, place.here.grid):
        place.there.run(faults.to_helper("CONT", APP))
        place.there.run("sleep 3")
    for phase in deaths:
        struck.happened(phase)
    assert run.end().succeeded()["result"] == "migrated"
    assert Shop(place.there).healthy()


def free_ports(target: Grid) -> None:
    """Whatever an earlier move let answer there."""
    target.result(f"mig-grid unforward {APP}")


def test_a_full_disk(place: Place, operator: Operator) -> None:
    """What is still to come after the stop finds no space."""
    before = place.there.seen()
    with faults.small_disk(place.there, "2G"):
        struck = faults.strike(place.there, "stop", faults.FILL_DISK)
        outcome = operator.move(app=APP, target_grid=place.there.name)
        assert "No space left" in outcome.failed()
        assert outcome.result == "rolled_back"
        assert struck.happened() == outcome.report["move"]
    assert not place.there.seen().volumes
    assert place.there.seen().images == before.images


def test_a_port_that_is_taken_after_the_preflight(place: Place, operator: Operator) -> None:
    free_ports(place.there)
    struck = faults.strike(place.there, "stop", faults.take_port(PORT))
    try:
        outcome = operator.move(app=APP, target_grid=place.there.name)
        struck.happened()
    finally:
        faults.give_port_back(place.there)
    outcome.failed()
    assert outcome.result == "rolled_back"
    assert str(PORT) in outcome.output
    assert place.here.healthy()


def test_a_shop_that_never_gets_healthy(place: Place, operator: Operator) -> None:
    """MigHelper dies while it waits, and still the source gets the right to run back."""
    free_ports(place.there)
    struck = faults.strike(place.there, "healthy", faults.to_helper("KILL", "sick"))
    outcome = operator.move(app=APP, target_grid=place.there.name, target_app="sick")
    struck.happened()
    outcome.failed()
    assert outcome.result == "rolled_back"
    assert "healthy" in outcome.output
    assert place.here.healthy()


def test_cancel(place: Place, operator: Operator, grids: tuple[Grid, ...]) -> None:
    struck = faults.strike(place.there, "precopy", "true")
    run = operator.start_move(app=APP, target_grid=place.there.name, cut_over=LATER, bandwidth_limit="5M")
    place.there.run(f"mig-grid move cancel {struck.happened()}")
    outcome = run.end()
    outcome.failed()
    assert outcome.result == "cancelled"
    assert find(grids).here == place.here
