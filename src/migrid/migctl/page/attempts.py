"""How long to wait after failed logins, so that guessing is slow and nobody can lock out others.

A browser that has logged in before is known by a cookie, and subject to its own failures only. All others count by
their address: behind the port switch, or behind an old address that goes on answering, many people may share one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FREE = 5
LONGEST = 60.0
MEMORY = 3600.0
MOST = 10_000


class Attempts:
    """Failed logins, by who made them. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, tuple[int, float]] = {}
        self._changing = threading.Lock()

    def claim(self, who: str) -> float:
        """Count an attempt as failed before it is judged, so that many at once gain nothing. 0, or in how many seconds
        it may be made: then it is not counted, and not to be judged."""
        with self._changing:
            now = self._clock()
            count, last = self._failed.get(who, (0, now))
            if now - last > MEMORY:
                count = 0
            wait = last + _delay(count) - now
            if wait > 0:
                return wait
            self._failed.pop(who, None)
            self._failed[who] = (count + 1, now)
            if len(self._failed) > MOST:
                del self._failed[next(iter(self._failed))]
            return 0.0

    def forget(self, who: str) -> None:
        """The attempt was right."""
        with self._changing:
            self._failed.pop(who, None)


def _delay(count: int) -> float:
    return min(LONGEST, 2.0 ** min(count - FREE, 10)) if count >= FREE else 0.0
