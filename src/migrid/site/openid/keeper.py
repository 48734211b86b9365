"""What the daemon does besides answering: it ends sessions that are over, and tells the clients."""

from __future__ import annotations

import logging
import threading
import time

from .notices import KEPT_SECONDS, Messenger
from .provider import Provider

ROUND_SECONDS = 2
SWEEP_SECONDS = 60

log = logging.getLogger(__name__)


class Keeper(threading.Thread):
    """A thread for as long as the daemon runs. No failure ends it: the next round tries again."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(name="keeper", daemon=True)
        self._provider = provider
        self._messenger = Messenger(provider)
        self._next_sweep = 0.0

    def run(self) -> None:
        while True:
            try:
                self._round()
            except Exception:
                log.exception("sessions were not looked after; this is tried again")
            time.sleep(ROUND_SECONDS)

    def _round(self) -> None:
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            sweep(self._provider)
        self._messenger.deliver()


def sweep(provider: Provider) -> None:
    """End the sessions whose time is over, or whose user may not log in any more or has another password; and
    forget what is of no use any more."""
    over = [session.sid for session in provider.sessions.all() if provider.user_of(session) is None]
    if over:
        provider.sessions.end(*over)
    provider.grants.forget_old()
    provider.notices.forget(provider.clock() - KEPT_SECONDS)
