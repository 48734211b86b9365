"""How the right to run an application may change on the grid that a move takes it from. Pure.

              suspend            release             destroy, finish
    HERE ───────────▶ SUSPENDED ───────▶ RELEASED ───────────────▶ GONE
     ▲                    │ resume, or      │ resume, by the move
     └────────────────────┘ no lease left ──┘ once nothing runs on the target

All other changes raise RightError. Each may be asked for again once it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import RightError
from ..sides import Lock, Right
from ..state import RightRecord


def suspend(right: RightRecord, move: str, policies: Mapping[str, str], ran: bool) -> RightRecord:
    """The right while the move copies what has stopped. What a resume that was cut short owes is owed still."""
    if right.right is Right.SUSPENDED and right.move == move:
        return right
    if right.right is not Right.HERE:
        raise RightError(f"The right to run is {right.right.value}, by move {right.move}; it cannot be suspended.")
    owed = {**policies, **right.policies}
    return RightRecord(Right.SUSPENDED, move, policies=owed, ran=ran or right.ran, page=right.page)


def keep(right: RightRecord, move: str, until: float) -> RightRecord:
    """The right with a longer lease."""
    if right.move == move and right.right in (Right.RELEASED, Right.GONE):
        return right
    _check_suspended(right, move)
    return replace(right, lease_until=until)


def release(right: RightRecord, lock: Lock) -> RightRecord:
    """The right when the target has it."""
    if right.move == lock.move and right.right in (Right.RELEASED, Right.GONE):
        return right
    _check_suspended(right, lock.move)
    return replace(right, right=Right.RELEASED, target_grid=lock.target_grid, target_app=lock.target_app_name)


def resume(right: RightRecord) -> RightRecord:
    """The right when it is here again; it still says what is to be given back, until that is done."""
    if right.right is Right.GONE:
        raise RightError(f"The application is gone: it moved to {right.target_grid} as {right.target_app}.")
    return replace(right, right=Right.HERE, lease_until=0.0, target_grid="", target_app="", owner="")


def leave(right: RightRecord, move: str) -> RightRecord:
    """The marker of an application that moved away."""
    if right.move != move or right.right not in (Right.RELEASED, Right.GONE):
        raise RightError(f"The right to run is {right.right.value}; only an application that gave it away can go.")
    return replace(right, right=Right.GONE)


def has_lapsed(right: RightRecord, now: float) -> bool:
    """Whether the application is to run here again because the move is not heard of any more."""
    return right.right is Right.SUSPENDED and right.lease_until < now


def stopped_by(right: RightRecord, move: str) -> bool:
    """Whether the move stopped the application, which ran, and it has not been started here again."""
    return right.move == move and right.right in (Right.SUSPENDED, Right.RELEASED) and right.ran


def owes(right: RightRecord) -> bool:
    """Whether a resume was cut short."""
    return right.right is Right.HERE and (right.ran or bool(right.policies))


def _check_suspended(right: RightRecord, move: str) -> None:
    if right.right is not Right.SUSPENDED or right.move != move:
        raise RightError(
            f"Move {move} does not hold the right to run any more: the application runs here again, because nothing was"
            " heard of the move for longer than its lease, or because somebody took the right back."
        )
