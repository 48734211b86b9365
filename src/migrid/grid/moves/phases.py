"""The phases of a move: their order for each action, what takes them back, and from where there is no way back."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..sides import Action


class Phase(enum.Enum):
    """One step of a move. Each is journalled, idempotent, and done again when its end was not journalled."""

    PREFLIGHT = "preflight"  # both grids are asked; nothing is changed
    LOCK = "lock"  # the application is locked on both grids
    IMAGES = "images"  # the layers that the target lacks cross
    PROVISION = "provision"  # the target gets the record, the volumes and the project directory, all empty
    PRECOPY = "precopy"  # rounds of copying while the application runs
    STOP = "stop"  # the source loses the right to run for now, and stops
    DELTA = "delta"  # the last round: what changed since the one before
    RESUME_SOURCE = "resume_source"  # a snapshot's source runs again
    VERIFY = "verify"  # the target reads back what it has and proves it
    RELEASE = "release"  # the source gives the right to run away for good
    START = "start"  # the target starts the application
    HEALTHY = "healthy"  # and waits until it is healthy and the probe is answered
    HAND_OVER = "hand_over"  # the old address forwards to the new one; the hook for DNS runs
    DESTROY_SOURCE = "destroy_source"  # the source removes the application, leaving the marker
    CLEAN_UP = "clean_up"  # movers and locks go; the application is settled


class Undo(enum.Enum):
    """What takes a phase back. It is journalled before the phase acts, and may be carried out more than once."""

    FINISH_SOURCE = "finish_source"  # no mover and no lock of the move is left on the source
    REMOVE_TARGET = "remove_target"  # nothing of the move is left on the target
    RESUME_SOURCE = "resume_source"  # the source has the right to run, and runs if it ran
    HALT_TARGET = "halt_target"  # nothing of the application runs on the target, and nothing starts it


ITINERARIES: Mapping[Action, tuple[Phase, ...]] = {
    Action.MIGRATE: (
        Phase.PREFLIGHT,
        Phase.LOCK,
        Phase.IMAGES,
        Phase.PROVISION,
        Phase.PRECOPY,
        Phase.STOP,
        Phase.DELTA,
        Phase.VERIFY,
        Phase.RELEASE,
        Phase.START,
        Phase.HEALTHY,
        Phase.HAND_OVER,
        Phase.DESTROY_SOURCE,
        Phase.CLEAN_UP,
    ),
    Action.SNAPSHOT: (
        Phase.PREFLIGHT,
        Phase.LOCK,
        Phase.IMAGES,
        Phase.PROVISION,
        Phase.PRECOPY,
        Phase.STOP,
        Phase.DELTA,
        Phase.RESUME_SOURCE,
        Phase.VERIFY,
        Phase.CLEAN_UP,
    ),
}

UNDO: Mapping[Phase, tuple[Undo, ...]] = {
    Phase.LOCK: (Undo.FINISH_SOURCE, Undo.REMOVE_TARGET),
    Phase.STOP: (Undo.RESUME_SOURCE,),
    Phase.START: (Undo.HALT_TARGET,),
}
"""What is registered when a phase begins. Undone last first, so the target is halted before the source resumes."""

POINT_OF_NO_RETURN: Mapping[Action, Phase] = {Action.MIGRATE: Phase.HEALTHY, Action.SNAPSHOT: Phase.VERIFY}
"""Once the end of this phase is journalled, every failure ends forward."""


def is_legal(action: Action, before: Phase | None, after: Phase) -> bool:
    """Whether `after` may begin when `before` was the last to begin: itself again, or the next one."""
    itinerary = ITINERARIES[action]
    if before is None:
        return after is itinerary[0]
    position = itinerary.index(before)
    return after in itinerary[position : position + 2]
