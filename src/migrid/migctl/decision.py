"""What a copy of the application does when it starts and finds a lock file. Pure.

where this is     action   the move         what is done
----------------  -------  ---------------  ------------------------------------------------------------
on the source     snap     ended            MigHelper and lock go: the copy was made, or it was not
on the source     migrate  went back        MigHelper and lock go: it runs again where it was
on the target     migrate  brought it       MigHelper, lock, and what is left on the source go
on the target     snap     whatever         the lock goes, and nothing else: somebody started a snapshot
any but the last  any      goes on          it is waited for
any but the last  any      nobody can say   it is asked again later
whatever else contradicts itself            nothing is removed, and the owner is told
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..grid.sides import Action
from .grids import Here
from .lock_file import LockFile


class Fate(enum.Enum):
    """What the target grid knows of the move."""

    UNKNOWN = "unknown"  # the grid does not answer
    NONE = "none"  # it has no such move
    GOES_ON = "goes_on"
    DONE = "done"  # the application, or a copy, is there
    UNDONE = "undone"  # it failed or was cancelled, and everything is as it was before


class Act(enum.Enum):
    """What is done."""

    NOTHING = "nothing"  # there is no lock
    WAIT = "wait"  # until the move is over
    RETRY = "retry"  # ask again later
    FORGET = "forget"  # remove the lock
    DISMISS = "dismiss"  # remove the MigHelper and the lock
    DESTROY_SOURCE = "destroy_source"  # remove what is left on the source, the MigHelper and the lock
    TELL = "tell"  # the owner must look; nothing is touched


@dataclass(frozen=True)
class Situation:
    """What is known. `problem` says why something is not: the lock is `damaged` then, or `here` is None.

    `unnamed` are grids of the lock that grid_info does not name. `keep_source` is what the move was asked for.
    """

    lock: LockFile | None = None
    damaged: bool = False
    unnamed: tuple[str, ...] = ()
    here: Here | None = None
    fate: Fate = Fate.UNKNOWN
    keep_source: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Decision:
    """What is done, and why, for the owner."""

    act: Act
    text: str


def decide(now: Situation) -> Decision:
    """What is done in a situation. What nobody knows is never guessed."""
    lock = now.lock
    if now.damaged:
        return Decision(Act.TELL, now.problem)
    if lock is None:
        return Decision(Act.NOTHING, "No move is under way.")
    if now.unnamed:
        return _tell(lock, f"grid_info does not name {' and '.join(now.unnamed)} any more; put it back.")
    if now.here is None:
        return Decision(Act.RETRY, f"It is not known yet on which grid this is. {now.problem}")
    if now.here == Here(lock.target_grid, lock.target_app_name):
        return _at_target(lock, now)
    if now.here == Here(lock.source_grid, lock.source_app_name):
        return _at_source(lock, now)
    return _tell(lock, f"This is {now.here.app} on {now.here.grid}, which has no part in it.")


def _at_target(lock: LockFile, now: Situation) -> Decision:
    if lock.action is Action.SNAPSHOT:
        return Decision(Act.FORGET, f"This is a snapshot of {_source(lock)} that somebody started.")
    if undecided := _undecided(lock, now):
        return undecided
    if now.fate is not Fate.DONE:
        return _tell(lock, f"It runs here, and {lock.target_grid} does not say that the move brought it.")
    if now.keep_source:
        return Decision(Act.DISMISS, f"The application moved here. It was asked for to keep {_source(lock)}.")
    return Decision(Act.DESTROY_SOURCE, f"The application moved here from {_source(lock)}.")


def _at_source(lock: LockFile, now: Situation) -> Decision:
    if undecided := _undecided(lock, now):
        return undecided
    if now.fate is Fate.NONE:
        return Decision(Act.FORGET, f"The move never began: {lock.target_grid} knows nothing of it.")
    if lock.action is Action.SNAPSHOT:
        made = "was made" if now.fate is Fate.DONE else "was not made"
        return Decision(Act.DISMISS, f"The snapshot {_target(lock)} {made}.")
    if now.fate is Fate.UNDONE:
        return Decision(Act.DISMISS, f"The move to {_target(lock)} did not succeed: the application runs here again.")
    return _tell(lock, f"It runs here, although {lock.target_grid} says that the move brought it there.")


def _undecided(lock: LockFile, now: Situation) -> Decision | None:
    if now.fate is Fate.UNKNOWN:
        return Decision(Act.RETRY, f"How the move to {_target(lock)} stands is not known yet. {now.problem}".rstrip())
    if now.fate is Fate.GOES_ON:
        return Decision(Act.WAIT, f"The move to {_target(lock)} goes on.")
    return None


def _tell(lock: LockFile, why: str) -> Decision:
    return Decision(
        Act.TELL,
        f"The lock file speaks of a move ({lock.action.value}) from {_source(lock)} to {_target(lock)}. {why}"
        " Nothing is removed anywhere. When you know that no move is under way, `migctl forget` removes the lock file.",
    )


def _source(lock: LockFile) -> str:
    return f"{lock.source_app_name} on {lock.source_grid}"


def _target(lock: LockFile) -> str:
    return f"{lock.target_app_name} on {lock.target_grid}"
