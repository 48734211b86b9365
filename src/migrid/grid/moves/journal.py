"""The journal of a move: what it began, how that is undone, and what it ended, each line on disk before the act.

Whoever opens the journal next learns from `Position` where to go on, or from where to go back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import records
from ..clock import Clock
from ..errors import GridError
from ..sides import Action
from ..state import sync
from .phases import UNDO, Phase, Undo, is_legal

RESERVE_BYTES = 1 << 20


@dataclass(frozen=True)
class Failure:
    """Why a move turns back, and in which phase. `kind` is the class of the error."""

    phase: Phase
    kind: str
    text: str


@dataclass(frozen=True)
class Position:
    """Where a move is. `undos` are those registered and not carried out, oldest first. `notes` are facts that phases
    left for later ones; of two under one name, the first counts. A phase that was begun again has its first time in
    `began`; the times are in seconds since 1970."""

    current: Phase | None = None
    began: Mapping[Phase, float] = field(default_factory=dict)
    ended: Mapping[Phase, float] = field(default_factory=dict)
    undos: tuple[Undo, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    finished: bool = False


class Journal:
    """The journal in one file, open for a single driver.

    Beside it lies a reserve of disk space, given up when the disk is full, so that the way back can still be written.
    """

    def __init__(self, path: Path, action: Action, clock: Clock) -> None:
        self._path = path
        self._action = action
        self._clock = clock
        self.position = Position()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._replay()
        sync(path.parent)

    def close(self) -> None:
        os.close(self._descriptor)

    def begin(self, phase: Phase) -> None:
        """A phase begins, and what undoes it is registered."""
        if not is_legal(self._action, self.position.current, phase):
            raise ValueError(f"{phase.value} cannot begin after {self.position.current}")
        self._write("begin", {"phase": phase.value, "undo": [undo.value for undo in UNDO.get(phase, ())]})

    def note(self, **facts: Any) -> None:
        """Leave facts for later phases."""
        self._write("note", records.to_data(facts))

    def done(self, phase: Phase) -> None:
        self._write("done", {"phase": phase.value})

    def failed(self, failure: Failure) -> None:
        """From here the move goes back."""
        self._write("failed", records.to_data(failure))

    def undone(self, undo: Undo) -> None:
        self._write("undone", {"undo": undo.value})

    def finished(self) -> None:
        self._write("finished", {})

    def reserve(self) -> None:
        """Set disk space aside for the way back."""
        with self._reserve_path.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, RESERVE_BYTES)

    def free_reserve(self) -> None:
        self._reserve_path.unlink(missing_ok=True)

    @property
    def _reserve_path(self) -> Path:
        return self._path.with_name("reserve")

    def _write(self, event: str, data: Mapping[str, Any]) -> None:
        entry = {"time": self._clock.time(), "event": event, "data": data}
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        try:
            self._append(line)
        except OSError:
            self.free_reserve()
            self._append(line)
        self.position = _after(self.position, entry)

    def _append(self, line: bytes) -> None:
        """Write the line whole or not at all."""
        size = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(f"{self._path}: no space for the journal")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, size)
            raise

    def _replay(self) -> None:
        """Take in what is there; a torn last line was never acted upon."""
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        os.ftruncate(self._descriptor, len(whole))
        os.fsync(self._descriptor)
        self.position = position_in(whole, self._path)


def position(path: Path) -> Position:
    """Where the move with this journal is, without opening it for writing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Position()
    return position_in(content[: content.rfind(b"\n") + 1], path)


def position_in(content: bytes, path: Path) -> Position:
    """The position after all lines. Raises GridError when one is not the journal's."""
    now = Position()
    for number, line in enumerate(content.splitlines(), 1):
        try:
            now = _after(now, json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise GridError(f"{path}, line {number}, is damaged: {error}") from error
    return now


def _after(now: Position, entry: Mapping[str, Any]) -> Position:
    data, changed = entry["data"], dict(vars(now))
    match entry["event"]:
        case "begin":
            changed["current"] = Phase(data["phase"])
            changed["began"] = {Phase(data["phase"]): float(entry["time"]), **now.began}
            fresh = (Undo(undo) for undo in data["undo"])
            changed["undos"] = now.undos + tuple(undo for undo in fresh if undo not in now.undos)
        case "note":
            changed["notes"] = {**data, **now.notes}
        case "done":
            changed["ended"] = {**now.ended, Phase(data["phase"]): float(entry["time"])}
        case "failed":
            changed["failure"] = now.failure or records.from_data(Failure, data)
        case "undone":
            changed["undos"] = tuple(undo for undo in now.undos if undo is not Undo(data["undo"]))
        case "finished":
            changed["finished"] = True
        case event:
            raise ValueError(f"no event {event!r}")
    return Position(**changed)
