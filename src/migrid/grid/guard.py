"""The guard of a grid: what must happen although the move, its MigHelper or the other grid is gone.

It lets applications run again whose move was not heard of for longer than its lease, gives a MigHelper to moves that
lost theirs, and removes MigHelpers whose move is over, and what dead plans left. It never decides about a move.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Protocol

from .errors import GridError, LockedError
from .helper import dismiss, is_finished, request_of, unfinished
from .helpers import Helpers
from .opening import open_helpers, open_source
from .state import State

INTERVAL = 10.0

_log = logging.getLogger("mig_grid_guard")


class Leases(Protocol):
    """What holds the leases of this grid's applications: `local.source.LocalSource`."""

    def resume_lapsed(self) -> list[str]:
        """Start again what moves stopped and are not heard of any more; the names of these."""

    def sweep(self) -> list[str]:
        """Remove what plans left that did not live to their end; what was removed, in words."""


class Guard:
    """One grid's guard. A pass that fails says so, and the next one tries again."""

    def __init__(self, state: State, leases: Leases, helpers: Helpers) -> None:
        self._state = state
        self._leases = leases
        self._helpers = helpers

    def one_pass(self) -> list[str]:
        """Do what is to be done now; what was done, in words."""
        return [
            done for step in (self._resume, self._revive, self._dismiss, self._leases.sweep) for done in _tried(step)
        ]

    def run(self, ended: threading.Event, interval: float = INTERVAL) -> None:
        """Pass after pass, until the event. What is said in each pass is logged once."""
        notify("READY=1")
        before: list[str] = []
        while not ended.is_set():
            now = self.one_pass()
            for done in now:
                if done not in before:
                    _log.info("%s", done)
            before = now
            notify("WATCHDOG=1")
            ended.wait(interval)
        notify("STOPPING=1")

    def _resume(self) -> Iterator[str]:
        for app in self._leases.resume_lapsed():
            yield f"{app} runs here again: its move was not heard of for longer than its lease"

    def _revive(self) -> Iterator[str]:
        """One MigHelper for each application that arrives: that of the newest move, which overrode those before."""
        newest = {request.target_app: move for move, request in unfinished(self._state).items()}
        present = self._helpers.present() if newest else {}
        for app, move in newest.items():
            if not present.get(move) and self._start(move, app):
                yield f"move {move} goes on: its MigHelper did not run"

    def _start(self, move: str, app: str) -> bool:
        """Nobody else may start one at the same time; whoever holds the application now does so."""
        with suppress(LockedError), self._state.exclusive_now(app):
            if not is_finished(self._state, move):
                self._helpers.start(move, app)
                return True
        return False

    def _dismiss(self) -> Iterator[str]:
        for move in self._helpers.present():
            request = request_of(self._state, move)
            if request and is_finished(self._state, move):
                dismiss(self._state, move, self._helpers)
                yield f"move {move} is over: its MigHelper is removed"


def main(state: State) -> int:
    """Guard this grid until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    guard = Guard(state, open_source(state), open_helpers(state))
    guard.run(ended)
    return 0


def notify(message: str) -> None:
    """Tell the service manager, if one is listening."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(message.encode(), f"\0{address[1:]}" if address[0] == "@" else address)


def _tried(step: Callable[[], Iterable[str]]) -> Iterator[str]:
    try:
        yield from step()
    except (GridError, OSError) as error:
        yield f"{step.__name__.strip('_')}: {error}"
