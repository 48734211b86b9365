"""A grid in a directory, whose engine is a model: what the faces of a grid are tried on."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from migrid.grid.application import Image
from migrid.grid.applications.verbs import Applications
from migrid.grid.cli import main
from migrid.grid.model.engine import ModelEngine
from migrid.grid.sides import Action, Lock
from migrid.grid.state import State, write_json

PROJECT = Path(__file__).parents[4]
IMAGE = Image("sha256:" + "1" * 64, "tiny:1", (), ("sha256:" + "2" * 64,), 1000, "amd64")
MOVE = "20300101T000000-0123abcd"


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class ModelGrid:
    """One grid below `root`."""

    name: str
    root: Path

    def build(self, peers: Mapping[str, Path], **configuration: Any) -> None:
        (self.root / "etc").mkdir(parents=True)
        (self.root / "state").mkdir(mode=0o700)
        self.configure(peers={name: {"address": str(path)} for name, path in peers.items()}, **configuration)
        self.engine().add_image(IMAGE)

    def configure(self, **configuration: Any) -> None:
        known = {"name": self.name, "address": str(self.root), "engine": "model"}
        write_json(self.root / "etc" / "grid.json", {**known, **configuration})

    @property
    def state(self) -> State:
        return State(self.root / "state", self.root / "etc")

    def engine(self) -> ModelEngine:
        """The engine as a new process would find it."""
        return ModelEngine(self.state.root / "engine")

    def applications(self) -> Applications:
        return Applications(self.state, self.engine())

    def lock(self, app: str, target: str = "grid-b") -> Lock:
        """Let a move hold the application."""
        lock = Lock(MOVE, Action.MIGRATE, self.name, app, target, app, 0.0)
        self.state.write_lock(app, lock)
        return lock

    @property
    def environment(self) -> dict[str, str]:
        """What leads the commands and the modules to this grid."""
        return {"MIG_GRID_STATE": str(self.state.root), "MIG_GRID_ETC": str(self.state.etc)}

    def mig_grid(self, *arguments: str) -> Done:
        """Run a command of `mig-grid` in this process, which is quicker."""
        output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with (
            mock.patch.dict(os.environ, self.environment),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            status = main(arguments)
        return Done(status, _text(output), _text(errors))

    def listed(self) -> dict[str, dict[str, Any]]:
        found = self.mig_grid("list", "--json")
        assert found.returncode == 0, found.stderr
        return {each["name"]: each for each in json.loads(found.stdout)}


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def tiny(directory: Path, **service: Any) -> Path:
    """The directory of an application with one service, a volume, data and a file that the service reads."""
    (directory / "data").mkdir(parents=True, exist_ok=True)
    (directory / "conf").mkdir(exist_ok=True)
    (directory / "data" / "seed").write_text("seed\n")
    (directory / "conf" / "motd").write_text("hello\n")
    mounts = [
        {"type": "volume", "source": "store", "target": "/store"},
        {"type": "bind", "source": "./data", "target": "/data"},
        {"type": "bind", "source": "./conf/motd", "target": "/etc/motd", "read_only": True},
    ]
    web = {
        "image": "tiny:1",
        "restart": "always",
        "environment": {"GREETING": "${TINY_GREETING:-none}"},
        "volumes": mounts,
        **service,
    }
    (directory / "compose.yaml").write_text(json.dumps({"services": {"web": web}, "volumes": {"store": {}}}))
    return directory
