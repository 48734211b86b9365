"""A witness that needs neither the engines nor the network: it watches the processes of all grids on this machine.

When a process began is known exactly from the kernel, and that it runs is known each time it is seen. So two copies of
an application that ran at once are proven as soon as one is seen after the other began.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = {"gunicorn", "postgres"}
INTERVAL = 0.1
YOUNG = 10.0
"""The age in seconds up to which a process may still become another program."""


@dataclass
class Life:
    """A process of the application. Times are in seconds since this machine started; `seen` is the last time."""

    grid: str
    container: str
    name: str
    began: float
    seen: float


@dataclass
class Witness:
    """`grids` has the ids of the grids' containers, by name."""

    grids: dict[str, str]
    lives: dict[tuple[int, float], Life] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _others: set[int] = field(default_factory=set)

    def __enter__(self) -> Witness:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()

    def at_once(self) -> list[str]:
        """Processes of the application on different grids that ran at once."""
        lives = list(self.lives.values())
        return [
            f"{one.name} in {one.container} on {one.grid} and {other.name} in {other.container} on {other.grid}, "
            f"for {min(one.seen, other.seen) - max(one.began, other.began):.2f} s"
            for one, other in itertools.combinations(lives, 2)
            if one.grid != other.grid and one.seen > other.began and other.seen > one.began
        ]

    def forget(self) -> None:
        """Begin anew, after a copy was started on purpose."""
        self.lives = {}

    def _watch(self) -> None:
        while not self._ended.wait(INTERVAL):
            self.look()

    def look(self) -> None:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        there = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()}
        self._others &= there
        for pid in there - self._others:
            try:
                self._look_at(pid, now)
            except OSError:
                continue

    def _look_at(self, pid: int, now: float) -> None:
        directory = Path(f"/proc/{pid}")
        name = (directory / "comm").read_text().strip()
        state, *rest = (directory / "stat").read_text().rpartition(")")[2].split()
        began = int(rest[18]) / TICKS
        if name in NAMES and state not in "ZX":
            if grid := self._grid((directory / "cgroup").read_text()):
                life = Life(grid[0], grid[1], name, began, now)
                self.lives.setdefault((pid, began), life).seen = now
        elif now - began > YOUNG:
            self._others.add(pid)

    def _grid(self, place: str) -> tuple[str, str] | None:
        """The grid that a process is on, and the container that it is in there."""
        for grid, container in self.grids.items():
            if container in place:
                return grid, place.rpartition(container)[2].rpartition("/")[2].strip()[:12]
        return None
