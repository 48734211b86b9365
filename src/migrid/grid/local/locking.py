"""The lock file of an application: who may take it, and who must show it."""

from __future__ import annotations

import time

from ..errors import LockedError, RightError
from ..sides import Lock, Right
from ..state import State


def has_lapsed(lock: Lock, now: float) -> bool:
    """Whether the lock is that of a plan which did not live to return it."""
    return bool(lock.lease) and now > lock.since + lock.lease


def take_lock(state: State, app: str, lock: Lock) -> bool:
    """Write the lock; whether it took the place of another move's.

    Raises:
        LockedError: another move holds the application, and the lock does not override.
        RightError: another move gave the right to run away, so that nobody can say here where the application runs.
    """
    held = state.lock(app)
    other = held is not None and held.move != lock.move
    if held and other:
        _check_override(state, app, held, lock)
    state.write_lock(app, lock)
    return other


def check_lock(state: State, app: str, move: str) -> Lock:
    """The lock of the application. Raises LockedError when it is not the move's."""
    held = state.lock(app)
    if held is None:
        raise LockedError(f"{app} is not locked for move {move}.")
    if held.move != move:
        raise LockedError(f"{app} is not locked for move {move}: {describe(held)}.")
    return held


def describe(lock: Lock) -> str:
    """What the lock says, for an operator."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(lock.since))
    return (
        f"move {lock.move} holds it since {since} ({lock.action.value} {lock.source_app_name} from {lock.source_grid}"
        f" to {lock.target_grid} as {lock.target_app_name})"
    )


def _check_override(state: State, app: str, held: Lock, lock: Lock) -> None:
    right = state.right(app)
    if not lock.override:
        raise LockedError(
            f"{app} is locked: {describe(held)}. `mig-grid move follow {held.move}` on {held.target_grid} shows how far"
            " it is; if nobody carries it out any more, override_lock takes its place."
        )
    if right.right in (Right.RELEASED, Right.GONE) and right.move == held.move:
        raise RightError(
            f"{app} cannot be taken from its move: {describe(held)}, and it has the right to run at {held.target_grid}"
            " by now. Let that move end there; it starts again by itself when that grid runs."
        )
