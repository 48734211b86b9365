"""Plain processes in place of containers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def start(module: str, *arguments: str) -> int:
    """Run a module of this package, which goes on without this process; the number of the new one."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ).pid


def runs(process: int) -> bool:
    """Whether there is this process, and it has not ended."""
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def end(process: int) -> None:
    """Let it die at once, unless it is this one."""
    if process != os.getpid():
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
