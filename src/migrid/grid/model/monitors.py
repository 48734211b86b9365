"""Monitors of moves for a grid whose engine is a model: plain processes, at ports that are free."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .. import names
from ..errors import EngineError
from ..monitors import MODULE
from ..moves import monitored
from ..state import State, read_json, write_json
from . import processes

# Below those that Linux gives to connections: none takes it while the process starts.
_PORTS = range(10000, 16000)


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
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server(("", port)):
            return port
    raise EngineError(f"No port from {_PORTS.start} to {_PORTS.stop - 1} is free.")
