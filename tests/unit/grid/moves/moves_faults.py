"""The faults of the matrix: how each befalls a move, how it is mended, and how the move must end."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from moves_world import IMAGES, PORT, Killed, World

from migrid.grid.errors import LockedError, RefusedError
from migrid.grid.moves import control
from migrid.grid.moves.phases import Phase
from migrid.grid.moves.report import Result
from migrid.grid.moves.request import Request
from migrid.grid.sides import Action


class Fault(enum.Enum):
    """What can go wrong at any moment of a move."""

    DRIVER_KILLED = "SIGKILL of the driver"
    SOURCE_HELPER_KILLED = "SIGKILL of the source's helpers"
    TARGET_HELPER_KILLED = "SIGKILL of the target's mover"
    TARGET_ENGINE_RESTART = "restart of the target's engine"
    SOURCE_ENGINE_RESTART = "restart of the source's engine"
    NETWORK_DROP = "connections are reset"
    BLACKHOLE = "nothing comes through for 60 s"
    DISK_FULL = "the target's disk is full"
    PORT_TAKEN = "a port is taken on the target after preflight"
    IMAGE_MISSING = "an image is missing on the target"
    CONTAINER_EXITS = "a container exits with status 1 on the target"
    NEVER_HEALTHY = "the health check never gets green on the target"
    WRONG_KEY = "the source does not accept the target's SSH key for 10 minutes"
    CLOCK_AHEAD = "the source's clock is 10 minutes ahead"
    CLOCK_BEHIND = "the source's clock is 10 minutes behind"
    SECOND_RUN = "a second run is started"
    CANCEL = "the operator cancels"


@dataclass
class Blow:
    """One fault on its way to one move: it strikes when the phase begins, once."""

    world: World
    request: Request
    move: str
    fault: Fault
    phase: Phase
    struck: bool = False

    def __call__(self, event: str, data: Mapping[str, object]) -> None:
        if event == "begin" and data["phase"] == self.phase.value and not self.struck:
            self.struck = True
            STRIKES[self.fault](self)

    def mend(self) -> None:
        """What an operator does before the next run, and time."""
        for grid in (self.world.a, self.world.b):
            grid.clock.ahead = 0.0
            faults = grid.engine.faults
            faults.space, faults.exits, faults.never_healthy = None, False, False
            faults.taken.clear()
        self.world.clock.spend(1000.0)


def _kill_driver(blow: Blow) -> None:
    raise Killed


def _kill_source_helpers(blow: Blow) -> None:
    blow.world.a.engine.break_movers()
    _hang_up(blow.world)
    blow.world.link.lost_answers = 1


def _kill_target_helper(blow: Blow) -> None:
    blow.world.b.engine.break_movers()


def _restart_target_engine(blow: Blow) -> None:
    blow.world.b.engine.restart(8.0)


def _restart_source_engine(blow: Blow) -> None:
    blow.world.a.engine.restart(8.0)
    _hang_up(blow.world)


def _drop(blow: Blow) -> None:
    blow.world.link.down_until = blow.world.clock.now + 5.0
    _hang_up(blow.world)


def _swallow(blow: Blow) -> None:
    blow.world.link.hangs_until = blow.world.clock.now + 60.0
    _hang_up(blow.world)


def _fill_disk(blow: Blow) -> None:
    blow.world.b.engine.faults.space = 0


def _take_port(blow: Blow) -> None:
    blow.world.b.engine.faults.taken.add(PORT)


def _remove_images(blow: Blow) -> None:
    engine = blow.world.b.engine
    engine.remove_images([found for name, found in engine.info().images.items() if name in IMAGES])


def _let_exit(blow: Blow) -> None:
    blow.world.b.engine.faults.exits = True


def _never_healthy(blow: Blow) -> None:
    blow.world.b.engine.faults.never_healthy = True


def _refuse_key(blow: Blow) -> None:
    blow.world.link.refused_until = blow.world.clock.now + 600.0
    _hang_up(blow.world)


def _ahead(blow: Blow) -> None:
    blow.world.a.clock.ahead = 600.0
    blow.world.guard()


def _behind(blow: Blow) -> None:
    blow.world.a.clock.ahead = -600.0


def _run_again(blow: Blow) -> None:
    """By another driver of the same move, and as another move."""
    with pytest.raises(LockedError):
        blow.world.move(blow.request, blow.move).run()
    if blow.phase not in (Phase.PREFLIGHT, Phase.LOCK):
        report = blow.world.move(blow.request).run()
        assert report.result is Result.FAILED, report.text()


def _cancel(blow: Blow) -> None:
    """Too late, it is refused with the reason."""
    directory = blow.world.b.state.move_directory(blow.move)
    too_late = expected(blow.request.action)[blow.fault, blow.phase] == "m"
    with pytest.raises(RefusedError, match="cannot be cancelled") if too_late else nullcontext():
        control.cancel(directory, blow.request.action)


def _hang_up(world: World) -> None:
    world.b.engine.hang_up_movers()


STRIKES: Mapping[Fault, Callable[[Blow], None]] = {
    Fault.DRIVER_KILLED: _kill_driver,
    Fault.SOURCE_HELPER_KILLED: _kill_source_helpers,
    Fault.TARGET_HELPER_KILLED: _kill_target_helper,
    Fault.TARGET_ENGINE_RESTART: _restart_target_engine,
    Fault.SOURCE_ENGINE_RESTART: _restart_source_engine,
    Fault.NETWORK_DROP: _drop,
    Fault.BLACKHOLE: _swallow,
    Fault.DISK_FULL: _fill_disk,
    Fault.PORT_TAKEN: _take_port,
    Fault.IMAGE_MISSING: _remove_images,
    Fault.CONTAINER_EXITS: _let_exit,
    Fault.NEVER_HEALTHY: _never_healthy,
    Fault.WRONG_KEY: _refuse_key,
    Fault.CLOCK_AHEAD: _ahead,
    Fault.CLOCK_BEHIND: _behind,
    Fault.SECOND_RUN: _run_again,
    Fault.CANCEL: _cancel,
}

RESULTS: Mapping[str, Result | None] = {
    "m": None,  # reaches its end: MIGRATED or SNAPSHOTTED
    "r": Result.ROLLED_BACK,
    "f": Result.FAILED,  # refused before anything was changed
    "c": Result.CANCELLED,
}

PHASES = (
    *("preflight", "lock", "images", "provision", "precopy", "stop", "delta", "resume_source", "verify"),
    *("release", "start", "healthy", "hand_over", "destroy_source", "clean_up"),
)
MIGRATE = """
    DRIVER_KILLED           m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    SOURCE_HELPER_KILLED    m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    TARGET_HELPER_KILLED    m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    TARGET_ENGINE_RESTART   m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    SOURCE_ENGINE_RESTART   m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    NETWORK_DROP            m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    BLACKHOLE               m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    DISK_FULL               f  r  r  r  r  r  r  -  m  m  m  m  m  m  m
    PORT_TAKEN              f  r  r  r  r  r  r  -  r  r  r  m  m  m  m
    IMAGE_MISSING           m  m  m  r  r  r  r  -  r  r  r  m  m  m  m
    CONTAINER_EXITS         r  r  r  r  r  r  r  -  r  r  r  m  m  m  m
    NEVER_HEALTHY           r  r  r  r  r  r  r  -  r  r  r  r  m  m  m
    WRONG_KEY               f  f  r  r  r  r  r  -  r  r  m  m  m  m  m
    CLOCK_AHEAD             m  m  m  m  m  m  r  -  r  r  m  m  m  m  m
    CLOCK_BEHIND            m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    SECOND_RUN              m  m  m  m  m  m  m  -  m  m  m  m  m  m  m
    CANCEL                  c  c  c  c  c  c  c  -  c  c  c  c  m  m  m
"""
SNAPSHOT = """
    DRIVER_KILLED           m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    SOURCE_HELPER_KILLED    m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    TARGET_HELPER_KILLED    m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    TARGET_ENGINE_RESTART   m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    SOURCE_ENGINE_RESTART   m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    NETWORK_DROP            m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    BLACKHOLE               m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    DISK_FULL               f  r  r  r  r  r  r  m  m  -  -  -  -  -  m
    PORT_TAKEN              m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    IMAGE_MISSING           m  m  m  r  r  r  r  r  r  -  -  -  -  -  m
    CONTAINER_EXITS         m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    NEVER_HEALTHY           m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    WRONG_KEY               f  f  r  r  r  r  r  r  r  -  -  -  -  -  m
    CLOCK_AHEAD             m  m  m  m  m  m  r  m  m  -  -  -  -  -  m
    CLOCK_BEHIND            m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    SECOND_RUN              m  m  m  m  m  m  m  m  m  -  -  -  -  -  m
    CANCEL                  c  c  c  c  c  c  c  c  c  -  -  -  -  -  m
"""


def expected(action: Action) -> dict[tuple[Fault, Phase], str]:
    """How a move must end, by fault and phase."""
    phases = [Phase(name) for name in PHASES]
    lines = (MIGRATE if action is Action.MIGRATE else SNAPSHOT).split("\n")
    rows = [line.split() for line in lines if line.strip()]
    return {(Fault[row[0]], phase): end for row in rows for phase, end in zip(phases, row[1:], strict=True)}
