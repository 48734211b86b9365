"""The operator's force: take an application away from a move that nobody carries out any more."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .. import helper
from ..errors import LockedError, UnknownError
from ..local.source import LocalSource
from ..local.target import LocalTarget
from ..sides import Lock, Right
from .standing import Observed, sentence
from .verbs import Applications


class Way(enum.Enum):
    """What releasing does."""

    TAKE_BACK = "take_back"  # the application runs here again, or goes on to
    TAKE_BACK_GIVEN = "take_back_given"  # the same, though another grid may run it
    REMOVE = "remove"  # what arrived of it is removed
    UNLOCK = "unlock"  # it arrived and stays


@dataclass(frozen=True)
class Release:
    """What would be done with an application."""

    way: Way
    text: str


def release(applications: Applications, app: str) -> Release:
    """What releasing the application means here. Raises UnknownError, LockedError when a move is to be cancelled."""
    observed = applications.known(app)
    lock = observed.lock
    if lock and lock.target_grid == applications.state.configuration().name:
        return _arriving(applications, lock)
    if lock is None and observed.right.right is Right.HERE:
        raise UnknownError(f"{sentence(observed)}; no move holds it.")
    return _leaving(observed)


def carry_out(found: Release, applications: Applications, app: str, source: LocalSource, target: LocalTarget) -> None:
    """Do it. Raises EngineError, RightError."""
    lock = applications.state.lock(app)
    if found.way is Way.REMOVE and lock:
        target.halt(app, lock.move)
        target.remove(app, lock.move)
    elif found.way is Way.UNLOCK:
        applications.state.clear_lock(app)
    else:
        source.take_back(app)


def _arriving(applications: Applications, lock: Lock) -> Release:
    if lock.move in helper.unfinished(applications.state):
        raise LockedError(
            f"Move {lock.move} is being carried out here. `mig-grid move follow {lock.move}` shows how far it is, "
            f"`mig-grid move cancel {lock.move}` turns it back."
        )
    record = applications.state.record(lock.target_app_name)
    if record and record.settled:
        return Release(Way.UNLOCK, f"{lock.target_app_name} arrived and stays; only the lock of its move is removed.")
    return Release(Way.REMOVE, f"What move {lock.move} brought of {lock.target_app_name} is removed here.")


def _leaving(observed: Observed) -> Release:
    app, right = observed.name, observed.right
    if right.right is Right.HERE:
        return Release(Way.TAKE_BACK, f"{app} stays as it is; the move can do nothing more with it and turns back.")
    if right.right is Right.SUSPENDED:
        return Release(Way.TAKE_BACK, f"{app} is started here again, with all of its data; the move turns back.")
    if right.right is Right.GONE and observed.record is None:
        raise UnknownError(f"{sentence(observed)}, and nothing of it was kept here.")
    return Release(
        Way.TAKE_BACK_GIVEN,
        f"{app} is started here again, with the data that it had when it stopped. The right to run it was given to "
        f"{right.target_grid} as {right.target_app}: what it did there is not in that data, and unless it is stopped "
        "there for good it runs twice.",
    )
