"""Asking a grid again while it, or its engine, does not answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from .clock import Clock
from .errors import EngineError, GridError, RefusedError, UnreachableError

LONGEST_DELAY = 30.0
FOREVER = float("inf")

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


@dataclass
class Patience:
    """Asks verbs of one grid. `facts` is the verb that tells whether its engine answers.

    `seconds` says how long what is away is waited for; `tell` gets what is waited for, and `check` may raise to end
    the wait.
    """

    facts: Callable[[], object]
    clock: Clock
    tell: Callable[[str], None]
    check: Callable[[], None]
    seconds: float = 0.0

    def ask(self, verb: Callable[Asked, Answer], *arguments: Asked.args, **named: Asked.kwargs) -> Answer:
        """What the verb answers. What the engine refuses twice while it answers otherwise is refused."""
        pauses, refused = self._pauses(), 0
        while True:
            try:
                return verb(*arguments, **named)
            except UnreachableError as error:
                self._wait(pauses, error)
            except EngineError as error:
                away = self._engine_is_away()
                refused = 0 if away else refused + 1
                if refused > 1:
                    raise
                if away:
                    self._wait(pauses, error)

    def insist(self, verb: Callable[Asked, Answer], *arguments: Asked.args, **named: Asked.kwargs) -> Answer:
        """What the verb answers, however often and long it is asked; for what there is no way around. That a grid
        cannot be reached or refuses to talk is waited for without end, anything else as long as `seconds` say."""
        pauses, forever = self._pauses(), _delays(FOREVER)
        while True:
            try:
                return verb(*arguments, **named)
            except (UnreachableError, RefusedError) as error:
                self._wait(forever, error)
            except EngineError as error:
                self._wait(forever if self._engine_is_away() else pauses, error)

    def _pauses(self) -> Iterator[float]:
        return _delays(self.seconds)

    def _engine_is_away(self) -> bool:
        try:
            self.facts()
        except EngineError:
            return True
        except GridError:
            return False
        return False

    def _wait(self, pauses: Iterator[float], error: GridError) -> None:
        pause = next(pauses, None)
        if pause is None:
            raise error
        self.tell(str(error))
        self.check()
        self.clock.sleep(pause)
        self.check()


def _delays(total: float) -> Iterator[float]:
    """Growing delays that add up to no more than `total`."""
    spent = 0.0
    for number in itertools.count():
        delay = min(2.0 ** min(number, 10), LONGEST_DELAY)
        if spent + delay > total:
            return
        spent += delay
        yield delay
