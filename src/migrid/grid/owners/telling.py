"""What an owner is told of a move to this grid, from the move's directory."""

from __future__ import annotations

from dataclasses import replace

from .. import helper
from ..moves import report
from ..moves.request import Request
from ..state import State
from .service import Moved

_LOG_BYTES = 1 << 20


def moved(state: State, move: str, asked: Request) -> Moved:
    """The move that was asked for so. Raises GridError when its files are damaged."""
    finished = helper.is_finished(state, move)
    return Moved(move, without_values(asked), finished, report.read(state.move_directory(move)))


def log(state: State, move: str) -> str:
    """The end of the log of a move."""
    path = state.move_directory(move) / "log"
    return path.read_bytes()[-_LOG_BYTES:].decode(errors="replace") if path.exists() else ""


def without_values(asked: Request) -> Request:
    """What was asked for, without the properties that were given: they may be secrets."""
    return replace(asked, app_config={})
