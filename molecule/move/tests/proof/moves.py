"""Moves as an operator makes them: `ansible-playbook migrate.yml` on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .grids import BINARIES, PROJECT
from .waiting import until

REPORT = re.compile(r"The report is in (build/moves/\S+\.json)")


@dataclass(frozen=True)
class Outcome:
    """How a run of the playbook ended. `report` is what it left in build/moves, empty if nothing."""

    status: int
    output: str
    report: dict[str, Any]

    @property
    def result(self) -> str:
        return str(self.report.get("result", ""))

    def succeeded(self) -> dict[str, Any]:
        assert self.status == 0, self.output
        return self.report

    def failed(self) -> str:
        assert self.status != 0, self.output
        return self.output


@dataclass
class Run:
    """A run of the playbook under way."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def printed(self, text: str, seconds: float = 60.0) -> None:
        until(lambda: text in self.output() or self.process.poll() is not None, f"{text!r} is printed", seconds)
        assert text in self.output(), self.output()

    def kill(self) -> None:
        """End Ansible and all that it started on this machine, as when a terminal is closed for good."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self, seconds: float = 300.0) -> Outcome:
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the playbook did not end within {seconds:.0f} s:\n{self.output()}") from None
        output = self.output()
        named = REPORT.search(output)
        report = json.loads((PROJECT / named[1]).read_text()) if named else {}
        return Outcome(status, output, report)


@dataclass
class Operator:
    """Somebody at the control node."""

    inventory: Path
    scratch: Path
    _runs: int = 0

    def start(self, playbook: str, *flags: str, **variables: Any) -> Run:
        self._runs += 1
        log = self.scratch / f"{self._runs:02}-{Path(playbook).stem}.log"
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        command = [BINARIES / "ansible-playbook", playbook, "--inventory", str(self.inventory), *flags, *extra]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
        return Run(process, log)

    def start_move(self, *flags: str, **options: Any) -> Run:
        return self.start("migrate.yml", *flags, **options)

    def move(self, *flags: str, **options: Any) -> Outcome:
        """Move and wait for the end. All options as text, as a form gives them."""
        return self.start_move(*flags, **{name: str(value) for name, value in options.items()}).end()
