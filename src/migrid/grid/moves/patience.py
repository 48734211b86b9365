"""Asking a grid again while it, or its engine, does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from ..clock import Clock
from ..errors import EngineError, GridError, RefusedError, UnreachableError

LONGEST_DELAY = 30.0
FOREVER = float("inf")

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass
class Patience:
    """Asks verbs of one grid. `facts` is the verb that tells whether its engine answers.

    `seconds` says how long what is away is waited for. `stubborn`, for what there is no way around: a grid that cannot
    be reached or refuses to talk is waited for without end, and what an engine refuses is asked again for `seconds`.
    `tell` gets what is waited for, and empty text afterwards; `check` may raise to end the wait.
    """

    facts: Callable[[], object]
    clock: Clock
    tell: Callable[[str], None]
    check: Callable[[], None]
    seconds: float = 0.0
    stubborn: bool = False

    def ask(self, verb: Callable[Asked, Answer], *arguments: Asked.args, **named: Asked.kwargs) -> Answer:
        """What the verb answers."""
        attempts = _Attempts(self.seconds)
        while True:
            try:
                answer = verb(*arguments, **named)
            except (UnreachableError, RefusedError, EngineError) as error:
                self._wait(self._pause(attempts, error), error)
            else:
                if attempts.waited:
                    self.tell("")
                return answer

    def _pause(self, attempts: _Attempts, error: GridError) -> float | None:
        """How long to wait before asking again; None to give up. What an engine refuses is asked once more at once:
        it may just have come back."""
        if isinstance(error, EngineError) and not self._engine_is_away():
            attempts.refused += 1
            return 0.0 if attempts.refused == 1 else attempts.next() if self.stubborn else None
        attempts.refused = 0
        if isinstance(error, RefusedError) and not self.stubborn:
            return None
        return attempts.next_of_many() if self.stubborn else attempts.next()

    def _engine_is_away(self) -> bool:
        try:
            self.facts()
        except EngineError:
            return True
        except GridError:
            return False
        return False

    def _wait(self, pause: float | None, error: GridError) -> None:
        if pause is None:
            raise error
        if pause:
            self.tell(str(error))
            self.check()
            self.clock.sleep(pause)
        self.check()


class _Attempts:
    """Growing delays, which add up to no more than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._delay = 1.0
        self.waited = False
        self.refused = 0

    def next(self) -> float | None:
        delay = self.next_of_many()
        self._left -= delay
        return delay if self._left >= 0 else None

    def next_of_many(self) -> float:
        self.waited = True
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        return delay
