"""Drivers of moves for a grid whose engine is a model: plain processes, which nothing starts again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import names
from ..helpers import MODULE
from ..state import State, read_json, write_json
from . import processes
from .monitors import ModelMonitors


@dataclass(frozen=True)
class _Driver:
    move: str
    process: int


class ModelHelpers:
    """`helper.Helpers` without an engine."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._places = state.root / "helpers"

    def present(self) -> dict[str, bool]:
        found = (read_json(_Driver, path) for path in sorted(self._places.glob("*.json")))
        return {driver.move: processes.runs(driver.process) for driver in found if driver}

    def start(self, move: str, target_app: str) -> None:
        if self.present().get(move):
            return
        self.remove(target_app)
        places = ("--state", str(self._state.root), "--etc", str(self._state.etc))
        process = processes.start(MODULE, move, *places)
        write_json(self._place(target_app), _Driver(move, process))

    def remove(self, target_app: str) -> None:
        ModelMonitors(self._state).remove(target_app)
        driver = read_json(_Driver, self._place(target_app))
        self._place(target_app).unlink(missing_ok=True)
        if driver:
            processes.end(driver.process)

    def _place(self, target_app: str) -> Path:
        return self._places / f"{names.application(target_app)}.json"
