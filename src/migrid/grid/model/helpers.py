"""Drivers of moves for a grid whose engine is a model: plain processes, which nothing starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .. import names
from ..state import State, read_json, write_json


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
        return {driver.move: _runs(driver.process) for driver in found if driver}

    def start(self, move: str, target_app: str) -> None:
        if self.present().get(move):
            return
        self.remove(target_app)
        places = ("--state", str(self._state.root), "--etc", str(self._state.etc))
        process = subprocess.Popen(
            [sys.executable, "-m", "migrid.grid.helper", move, *places],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        write_json(self._place(target_app), _Driver(move, process.pid))

    def remove(self, target_app: str) -> None:
        driver = read_json(_Driver, self._place(target_app))
        self._place(target_app).unlink(missing_ok=True)
        if driver and driver.process != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(driver.process, signal.SIGKILL)

    def _place(self, target_app: str) -> Path:
        return self._places / f"{names.application(target_app)}.json"


def _runs(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
