"""How much of a copy has come."""

from __future__ import annotations

from dataclasses import replace

from ..volumes.client import Progress
from .progress import NOTHING_COPIED
from .run import Run

_SETTLED = 1.0


class Meter:
    """Tells those who follow a move what has come since this was made."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._began = run.clock.time()
        self._now = Progress(0, None, 0)

    def show(self, now: Progress) -> None:
        """Raises CancelledError when the move was cancelled."""
        run = self._run
        passed = run.clock.time() - self._began
        rate = now.bytes / passed if passed > 0 else 0.0
        known = now.total_bytes is not None and rate > 0 and passed > _SETTLED
        left = max((now.total_bytes or 0) - now.bytes, 0) / rate if known else None
        predicted = run.progress.now.predicted_downtime_seconds
        told = run.progress.update_sometimes(
            bytes=now.bytes,
            total_bytes=now.total_bytes,
            files=now.files,
            rate=rate,
            eta_seconds=None if left is None else left + (predicted or 0.0),
            waiting_for="",
        )
        if told:
            run.check()

    def let_pass(self, size: int) -> None:
        """Count so many bytes more, and wait as long as they are ahead of the bandwidth limit."""
        run, limit = self._run, self._run.request.bandwidth_limit
        self._now = replace(self._now, bytes=self._now.bytes + size)
        self.show(self._now)
        while limit and (ahead := self._began + self._now.bytes / limit - run.clock.time()) > 0:
            run.clock.sleep(min(ahead, _SETTLED))
            self.show(self._now)

    def end(self) -> None:
        self._run.progress.update(**NOTHING_COPIED)
