"""Monitors of moves for a grid whose engine is a model: plain processes, at ports that are free."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from .. import names
from ..monitors import MODULE
from ..moves import monitored
from ..state import State, read_json, write_json
from . import processes


@dataclass(frozen=True)
class _Process:
    move: str
    process: int
    port: int


class ModelMonitors:
    """`monitors.Monitors` without an engine."""

    def __init__(self, state: State) -> None:
        self._state = state

    def start(self, move: str, target_app: str) -> int:
        found = self._found(target_app)
        if found and found.move == move and processes.runs(found.process):
            return found.port
        self.remove(target_app)
        monitored.make_room(self._state.move_directory(move))
        port = _free_port()
        process = processes.start(MODULE, move, "--state", str(self._state.root), "--port", str(port))
        write_json(self._place(target_app), _Process(move, process, port))
        return port

    def remove(self, target_app: str) -> None:
        found = self._found(target_app)
        self._place(target_app).unlink(missing_ok=True)
        if found:
            processes.end(found.process)

    def _found(self, target_app: str) -> _Process | None:
        return read_json(_Process, self._place(target_app))

    def _place(self, target_app: str) -> Path:
        return self._state.root / "monitors" / f"{names.application(target_app)}.json"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("", 0))
        return int(listening.getsockname()[1])
