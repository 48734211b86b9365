"""Forwarding for a grid whose engine is a model: what is forwarded is written down, and nothing is sent on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import names
from ..sides import Forward
from ..state import read_json, write_json


class ModelForwarder:
    """A `local.forwarding.Forwarder` with a file for each application."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> Mapping[str, tuple[Forward, ...]]:
        return {path.stem: self.forwards(path.stem) for path in sorted(self._directory.glob("*.json"))}

    def forwards(self, app: str) -> tuple[Forward, ...]:
        return read_json(tuple[Forward, ...], self._file(app)) or ()

    def start(self, app: str, forwards: Sequence[Forward]) -> None:
        self.end(app)
        if forwards:
            write_json(self._file(app), tuple(forwards))

    def end(self, app: str) -> None:
        self._file(app).unlink(missing_ok=True)

    def _file(self, app: str) -> Path:
        return self._directory / f"{names.application(app)}.json"
