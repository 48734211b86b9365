"""What a move tells while it goes on: `progress.json` for those who follow it, and its log for those who come later."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..clock import Clock
from ..state import read_json, write_json
from .phases import Phase

INTERVAL = 0.5
NOTHING_COPIED: Mapping[str, Any] = {"bytes": 0, "total_bytes": None, "files": 0, "rate": 0.0, "eta_seconds": None}
"""The fields of what is copied, when nothing is."""


@dataclass(frozen=True)
class MoveProgress:
    """How far a move is. `time` is when this was written; `waiting_for` says what holds it up, if something does.

    Bytes, files and rate are those of the round under way; the seconds to go are None where they are not known.
    """

    move: str
    time: float = 0.0
    phase: Phase = Phase.PREFLIGHT
    since: float = 0.0
    going_back: bool = False
    waiting_for: str = ""
    round: int = 0
    bytes: int = 0
    total_bytes: int | None = None
    files: int = 0
    rate: float = 0.0
    eta_seconds: float | None = None
    predicted_downtime_seconds: float | None = None


class Progress:
    """Writes the progress and the log of one move. That the disk is full is no reason for a move to fail."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self.now = MoveProgress(directory.name)

    def log(self, text: str) -> None:
        """Add to the log, each line with the time."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.time()))
        lines = "".join(f"{moment} {line}\n" for line in text.splitlines())
        with suppress(OSError), open(self._directory / "log", "a", encoding="utf-8", opener=_private) as stream:
            stream.write(lines)

    def update(self, **changes: Any) -> None:
        """Let followers know at once."""
        self.now = replace(self.now, **changes, time=self._clock.time())
        with suppress(OSError):
            write_json(self._directory / "progress.json", self.now)

    def update_sometimes(self, **changes: Any) -> bool:
        """Let followers know, if they were not told just before; whether they were told now."""
        due = self._clock.time() - self.now.time >= INTERVAL
        if due:
            self.update(**changes)
        return due


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def read(directory: Path) -> MoveProgress | None:
    """The progress of the move in this directory, once there is any."""
    return read_json(MoveProgress, directory / "progress.json")
