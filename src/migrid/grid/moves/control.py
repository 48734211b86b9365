"""What an operator may still ask of a move under way: to cancel it, or to stop the application at another time.

Both are files in the move's directory, which its driver reads between any two steps.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..errors import CancelledError, RefusedError
from ..sides import Action
from ..state import write_json
from . import journal, monitored, request
from .phases import POINT_OF_NO_RETURN

_CANCEL = "cancel"


class Control:
    """The operator's wishes, as the driver of the move in `directory` reads them."""

    def __init__(self, directory: Path, asked: request.Request) -> None:
        self._directory = directory
        self._asked = asked

    def check_cancel(self) -> None:
        """Raises CancelledError when the operator cancelled the move."""
        if self.was_cancelled:
            raise CancelledError("The operator cancelled the move.")

    @property
    def was_cancelled(self) -> bool:
        return any((place / _CANCEL).exists() for place in (self._directory, self._directory / monitored.OWN))

    @property
    def cut_over_at(self) -> float | None:
        """When the application is to be stopped: seconds since 1970, 0 for now, None for when it is ready."""
        try:
            return request.cut_over_at(str(json.loads((self._directory / "cut_over").read_bytes())))
        except FileNotFoundError:
            return self._asked.cut_over_at


def cancel(directory: Path, action: Action) -> None:
    """Ask the driver to turn back. Raises RefusedError when the move is over, or past its point of no return."""
    _check_may_cancel(directory, action)
    write_json(directory / _CANCEL, True)


def cancel_from_monitor(directory: Path, action: Action) -> None:
    """As `cancel`, in the monitor's own directory."""
    _check_may_cancel(directory, action)
    write_json(directory / monitored.OWN / _CANCEL, True)


def cut_over(directory: Path, value: object) -> None:
    """Let the application stop at another time than the one asked for first. Raises OptionError."""
    write_json(directory / "cut_over", request.cut_over(value))


def _check_may_cancel(directory: Path, action: Action) -> None:
    position = journal.position(directory / "journal.jsonl")
    if position.finished:
        raise RefusedError(f"Move {directory.name} is over; there is nothing to cancel.")
    if POINT_OF_NO_RETURN[action] in position.ended:
        raise RefusedError(
            f"Move {directory.name} cannot be cancelled any more: what it was to bring to the target is there and in"
            " order. It goes on to its end; move the application back if it is not to stay."
        )
