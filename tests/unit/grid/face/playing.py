"""Playbooks and modules run by Ansible itself, on grids that are directories of this host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_grid import PROJECT, ModelGrid

TOOLS = Path(sys.executable).parent
SHOWN = {
    "ANSIBLE_SHOW_CUSTOM_STATS": "true",
    "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
    "ANSIBLE_NOCOLOR": "true",
}


@dataclass(frozen=True)
class Played:
    """What a playbook printed, and how it ended."""

    status: int
    output: str

    def results(self) -> Mapping[str, Any]:
        """The numbers of the recap, by host."""
        lines = self.output.partition("PLAY RECAP")[2].splitlines()
        pairs = (line.partition(" : ") for line in lines if " : " in line)
        return {host.strip(): dict(word.split("=") for word in rest.split()) for host, _, rest in pairs}

    def custom_stats(self) -> dict[str, Any]:
        """What set_stats left."""
        text = self.output.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2]
        return dict(json.JSONDecoder().raw_decode(text)[0]) if text else {}


class Inventory:
    """An inventory of model grids. Each host's interpreter is a program that leads the modules to its grid."""

    def __init__(self, directory: Path, grids: Sequence[ModelGrid]) -> None:
        self.path = directory / "inventory.json"
        self.grids = {grid.name: grid for grid in grids}
        self.variables: dict[str, dict[str, Any]] = {name: {} for name in self.grids}

    def play(self, playbook: str | Path, *arguments: str, **environment: str) -> Played:
        """Run a playbook to its end."""
        done = self.start(playbook, *arguments, **environment)
        output, _ = done.communicate()
        return Played(done.returncode, output)

    def start(self, playbook: str | Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Run a playbook in a process group of its own."""
        self.write()
        return subprocess.Popen(
            [TOOLS / "ansible-playbook", "--inventory", self.path, playbook, *arguments],
            cwd=PROJECT,
            env={**os.environ, **SHOWN, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def write(self) -> None:
        """Write the file."""
        hosts = {name: {**self._host(grid), **self.variables[name]} for name, grid in self.grids.items()}
        self.path.write_text(json.dumps({"all": {"children": {"grids": {"hosts": hosts}}}}))

    def _host(self, grid: ModelGrid) -> dict[str, str]:
        interpreter = self.path.parent / f"python-{grid.name}"
        variables = " ".join(f"{name}={value}" for name, value in grid.environment.items())
        interpreter.write_text(f'#!/bin/sh\nexec env {variables} {sys.executable} "$@"\n')
        interpreter.chmod(0o755)
        return {"ansible_connection": "local", "ansible_python_interpreter": str(interpreter)}
