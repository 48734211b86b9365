"""Between the two steps of a login: the password was right, the code of the second factor is still to come.

What was given is kept in memory only, for a few minutes; a daemon that restarts meanwhile asks for it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from .store import new_secret

SECONDS = 300
_MOST = 10_000


class FirstStep(NamedTuple):
    """What was given in the first step."""

    login: str
    password: str
    expires: float

    def __repr__(self) -> str:
        return f"<FirstStep of {self.login}>"


class SecondSteps:
    """The logins that wait for their second step, each with a ticket that only its page knows."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._waiting: dict[str, FirstStep] = {}
        self._lock = threading.Lock()

    def open(self, login: str, password: str) -> str:
        """The ticket for the second step of this login. Of too many, the oldest is forgotten."""
        ticket = new_secret()
        with self._lock:
            self._forget_old()
            self._waiting[ticket] = FirstStep(login, password, self._clock() + SECONDS)
        return ticket

    def find(self, ticket: str) -> FirstStep | None:
        """The first step of a ticket, until its time is over."""
        with self._lock:
            self._forget_old()
            return self._waiting.get(ticket)

    def close(self, ticket: str) -> None:
        """Forget a login that is decided."""
        with self._lock:
            self._waiting.pop(ticket, None)

    def _forget_old(self) -> None:
        now = self._clock()
        for ticket in list(self._waiting):
            if self._waiting[ticket].expires > now and len(self._waiting) < _MOST:
                break
            del self._waiting[ticket]
