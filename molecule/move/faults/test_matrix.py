"""Every phase of a move with every fault, on real grids: `bin/test faults`. It takes more than an hour.

Each cell ends with the promise that `proof.fixtures` checks: the shop runs in one place, with every acknowledged write,
two copies never ran at once, and nothing is left behind. Each cell begins with a move, which is the second run for the
cell before, without any cleaning in between.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from proof import faults
from proof.fixtures import APP, Place
from proof.moves import Operator, Run
from proof.shop import PORT
from proof.waiting import until

from migrid.grid.moves.phases import ITINERARIES, Phase
from migrid.grid.sides import Action

NO_WAY_BACK = (Phase.HAND_OVER, Phase.DESTROY_SOURCE, Phase.CLEAN_UP)
ENDS = {"migrated", "snapshotted", "rolled_back", "cancelled", "failed"}
NOT_HERE = {
    "clock skew": "containers have this machine's clock; the fault tests of the model have it",
    "image missing": "the images phase sends what is missing; a registry is never asked",
    "wrong key": "after the first connection of a move a changed key is an unreachable source; see test_refusals",
}


@dataclass
class Moment:
    """A move that stands still at the beginning of a phase."""

    place: Place
    operator: Operator
    run: Run
    move: str


def kill_helper(moment: Moment) -> None:
    moment.place.there.run(faults.to_helper("KILL", APP))


def kill_mover_of_the_source(moment: Moment) -> None:
    moment.place.here.grid.run("docker ps --quiet --filter name=^mig_mover | xargs --no-run-if-empty docker kill")


def kill_mover_of_the_target(moment: Moment) -> None:
    moment.place.there.run("docker ps --quiet --filter name=^mig_mover | xargs --no-run-if-empty docker kill")


def kill_ansible(moment: Moment) -> None:
    moment.run.kill()


def restart_engine_of_the_source(moment: Moment) -> None:
    faults.restart_engine(moment.place.here.grid)


def restart_engine_of_the_target(moment: Moment) -> None:
    faults.restart_engine(moment.place.there)


def crash_engine_of_the_target(moment: Moment) -> None:
    faults.crash_engine(moment.place.there)


def reboot_the_source(moment: Moment) -> None:
    reboot(moment.place.here.grid)


def reboot_the_target(moment: Moment) -> None:
    reboot(moment.place.there)


def reboot(grid: faults.Grid) -> None:
    subprocess.run(["docker", "restart", grid.name], check=True, capture_output=True)
    until(grid.answers, f"the engine of {grid.name} answers", 60)


def lose_the_network_for_a_while(moment: Moment) -> None:
    with faults.cut_off(moment.place.there, moment.place.here.grid):
        thaw(moment)
        moment.place.there.run("sleep 15")


def lose_the_network_until_the_source_gives_up(moment: Moment) -> None:
    """Longer than any lease: the source must run again by itself, unless it has given its right away."""
    with faults.cut_off(moment.place.there, moment.place.here.grid):
        thaw(moment)
        moment.place.there.run("sleep 150")


def take_the_port(moment: Moment) -> None:
    moment.place.there.run(f"{faults.take_port(PORT)} || true")


def start_a_second_run(moment: Moment) -> None:
    thaw(moment)
    other = moment.operator.start_move(app=APP, target_grid=moment.place.there.name)
    assert other.end().result in ENDS


def cancel(moment: Moment) -> None:
    thaw(moment)
    moment.place.there.result(f"mig-grid move cancel {moment.move}")


def thaw(moment: Moment) -> None:
    moment.place.there.result(faults.to_helper("CONT", APP))


FAULTS: tuple[Callable[[Moment], None], ...] = (
    kill_helper,
    kill_mover_of_the_source,
    kill_mover_of_the_target,
    kill_ansible,
    restart_engine_of_the_source,
    restart_engine_of_the_target,
    crash_engine_of_the_target,
    reboot_the_source,
    reboot_the_target,
    lose_the_network_for_a_while,
    lose_the_network_until_the_source_gives_up,
    take_the_port,
    start_a_second_run,
    cancel,
)


@pytest.fixture(autouse=True)
def free_port(place: Place, promise: None) -> None:
    """What takes a port in one cell does not take it in the next."""
    for grid in (place.here.grid, place.there):
        grid.run("systemctl stop squatter 2>/dev/null || true")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("phase", ITINERARIES[Action.MIGRATE], ids=lambda phase: phase.value)
def test_a_fault_in_a_phase(place: Place, operator: Operator, phase: Phase, fault: Callable[[Moment], None]) -> None:
    struck = faults.strike(place.there, phase.value, faults.to_helper("STOP", APP))
    run = operator.start_move(app=APP, target_grid=place.there.name)
    moment = Moment(place, operator, run, struck.happened())
    fault(moment)
    thaw(moment)
    result = ended(moment)
    if phase in NO_WAY_BACK:
        assert result == "migrated"
    else:
        assert result in ENDS


def ended(moment: Moment) -> str:
    """How the move ended, as its target remembers."""
    if moment.run.process.poll() is None:
        moment.run.end(600)

    def report() -> str:
        found = {one["move"]: one["report"] or {} for one in moment.place.there.mig_grid("moves")}[moment.move]
        return "" if found.get("left_to_do") else str(found.get("result", ""))

    return until(report, f"the move {moment.move} ends", 600, pause=1)


def test_a_full_disk_in_a_phase(place: Place, operator: Operator) -> None:
    """Only these phases write to volumes."""
    for phase in (Phase.PROVISION, Phase.PRECOPY, Phase.DELTA):
        with faults.small_disk(place.there, "2G"):
            struck = faults.strike(place.there, phase.value, faults.FILL_DISK)
            outcome = operator.move(app=APP, target_grid=place.there.name)
            struck.happened()
            assert outcome.result == "rolled_back", outcome.output
            place.here.wait()


def test_a_move_without_a_fault_goes_through_in_the_end(place: Place, operator: Operator) -> None:
    assert operator.move(app=APP, target_grid=place.there.name).succeeded()["result"] == "migrated"
