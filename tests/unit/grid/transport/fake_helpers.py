"""Drivers of moves that only note what was asked of them."""

from __future__ import annotations

from migrid.grid.errors import EngineError


class FakeHelpers:
    """`running` has the move that is driven for each application; `away` makes the engine refuse."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self.stopped: dict[str, str] = {}
        self.away = False

    def present(self) -> dict[str, bool]:
        self._check()
        return {**dict.fromkeys(self.stopped.values(), False), **dict.fromkeys(self.running.values(), True)}

    def start(self, move: str, target_app: str) -> None:
        self._check()
        self.stopped.pop(target_app, None)
        self.running[target_app] = move

    def remove(self, target_app: str) -> None:
        self._check()
        self.stopped.pop(target_app, None)
        self.running.pop(target_app, None)

    def die(self, target_app: str) -> None:
        self.stopped[target_app] = self.running.pop(target_app)

    def _check(self) -> None:
        if self.away:
            raise EngineError("The engine is away.")
