"""Whose application it is: the inventory says so where an application begins, and moves carry it along."""

from __future__ import annotations

from ..errors import RightError
from ..sides import Source
from ..state import State


def owner_of(state: State, app: str) -> str:
    """Who may move an application besides the operator, or might when a marker was an application; may be empty.

    What came with the application counts for more than the configuration, which only knows names.
    """
    record = state.record(app)
    known = record.owner if record else state.right(app).owner
    owners = state.configuration().owners
    return known or next((name for name, owner in owners.items() if app in owner.applications), "")


def check_owner(source: Source, app: str, owner: str) -> None:
    """Raises RightError when somebody is to move what is not theirs; it says the same whether it is somebody else's or
    does not exist. An empty `owner` is the operator, who may."""
    if owner and source.owner(app) != owner:
        raise RightError(
            f"{owner} has no application {app} there. The operator of the grid says in grid_owners which applications"
            " belong to whom."
        )
