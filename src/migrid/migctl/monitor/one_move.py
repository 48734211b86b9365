"""The one move that a monitor is beside, read from its directory."""

from __future__ import annotations

from dataclasses import replace

from ...grid.clock import SystemClock
from ...grid.errors import UnknownError
from ...grid.moves import control, live
from ...grid.moves.live import News
from ...grid.moves.request import Request
from ...grid.owners import telling
from ...grid.owners.service import Moved
from ...grid.state import State


class OneMove:
    """`page.showing.Moves` of a single move."""

    def __init__(self, state: State, move: str, asked: Request) -> None:
        self._state = state
        self._move = move
        self._asked = asked

    def under_way(self) -> Moved:
        return telling.moved(self._state, self._move, self._asked)

    def moved(self, grid: str, move: str) -> Moved:
        self._check(grid, move)
        return self.under_way()

    def news(self, grid: str, move: str, since: float, wait: float) -> News:
        """Nobody who is here needs the way to here."""
        self._check(grid, move)
        return replace(live.news(self._state, move, since, wait, SystemClock()), monitor="")

    def log(self, grid: str, move: str) -> str:
        self._check(grid, move)
        return telling.log(self._state, move)

    def cancel(self) -> None:
        control.cancel_from_monitor(self._state.move_directory(self._move), self._asked.action)

    def _check(self, grid: str, move: str) -> None:
        if (grid, move) != (self._asked.target_grid, self._move):
            raise UnknownError(f"This shows move {self._move} to {self._asked.target_grid} only.")
