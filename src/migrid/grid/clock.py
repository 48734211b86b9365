"""Time, as moves see it: the one seam through which tests let hours pass in no time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Clock(Protocol):
    """What moves ask of time."""

    def time(self) -> float:
        """Seconds since 1970."""

    def sleep(self, seconds: float) -> None: ...

    def every(self, seconds: float, call: Callable[[], None]) -> AbstractContextManager[None]:
        """Call again and again, beside what goes on in the block. The call must not raise."""


class SystemClock:
    """The host's clock."""

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    @contextmanager
    def every(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        ended = threading.Event()

        def repeat() -> None:
            while not ended.wait(seconds):
                call()

        thread = threading.Thread(target=repeat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
