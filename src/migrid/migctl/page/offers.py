"""Plans that were shown and wait for their confirmation. Each can be confirmed once, by the visitor who saw it."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...grid.moves.plan import Plan
from ..lock_file import LockFile
from ..migration import Wish

SECONDS = 900.0
MOST = 50


@dataclass(frozen=True)
class Found:
    """The lock file as it was found: none, a lock, or why it is `damaged`."""

    lock: LockFile | None = None
    damaged: str = ""

    @property
    def is_there(self) -> bool:
        return bool(self.lock or self.damaged)


@dataclass(frozen=True)
class Offer:
    """A plan, for the visitor with this session. Whoever confirms it shows its `token`, and overrides the lock file if
    that is what was `found`."""

    visitor: str
    wish: Wish
    plan: Plan
    found: Found
    made: float
    name: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class Offers:
    """The offers of the last minutes. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._offers: dict[str, Offer] = {}
        self._changing = threading.Lock()

    def add(self, visitor: str, wish: Wish, plan: Plan, found: Found) -> Offer:
        offer = Offer(visitor, wish, plan, found, self._clock())
        with self._changing:
            self._offers[offer.name] = offer
            if len(self._offers) > MOST:
                del self._offers[next(iter(self._offers))]
        return offer

    def find(self, name: str, visitor: str) -> Offer | None:
        """The visitor's offer, unless it was taken or is too old."""
        offer = self._offers.get(name)
        if offer is None or offer.visitor != visitor or self._clock() - offer.made > SECONDS:
            return None
        return offer

    def take(self, name: str, visitor: str, token: str) -> Offer | None:
        """The visitor's offer, which nobody can take again."""
        with self._changing:
            offer = self.find(name, visitor)
            if offer is None or not hmac.compare_digest(offer.token.encode(), token.encode("utf-8", "surrogatepass")):
                return None
            return self._offers.pop(name)
