"""MigHelper's part in the monitor of its move: to start it, and to have the page of the application lead to it while
the application is stopped. The move never waits for any of it, and goes on whatever fails here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from . import records
from .clock import Clock, SystemClock
from .monitors import Monitors
from .moves import journal, monitored
from .moves.monitored import Place
from .moves.phases import Phase
from .moves.progress import Progress
from .moves.request import Request
from .moves.run import Known
from .sides import Source
from .state import State

POLL = 0.25
GRACE = 1.0
"""For how many seconds an application is stopped before its page is worth leading elsewhere."""

_PATIENCE = 30.0
_RUNS_AGAIN = (Phase.RESUME_SOURCE, Phase.HAND_OVER)

WayToSource = Callable[[], AbstractContextManager[Source]]


class Monitoring(threading.Thread):
    """A thread beside one move. What fails is a warning in the move's log."""

    def __init__(self, state: State, move: str, request: Request, monitors: Monitors, source: WayToSource) -> None:
        super().__init__(name="monitoring", daemon=True)
        self._state = state
        self._move = move
        self._request = request
        self._monitors = monitors
        self._source = source
        self._clock: Clock = SystemClock()
        self._directory = state.move_directory(move)
        self._over = threading.Event()

    def run(self) -> None:
        try:
            self._show()
        except Exception as error:
            progress = Progress(self._directory, self._clock)
            progress.log(f"warning: the page cannot be seen while the application is stopped: {error}")

    def end(self) -> None:
        """The move is over: begin nothing more."""
        self._over.set()
        if self.is_alive():
            self.join(_PATIENCE)

    def _show(self) -> None:
        secrets = monitored.secrets_of(self._directory)
        if secrets is None or self._over.is_set():
            return
        port = self._monitors.start(self._move, self._request.target_app)
        place = Place(secrets.address or self._state.configuration().address, port)
        monitored.tell_place(self._directory, place)
        if self._comes_to_a_stop():
            with self._source() as source:
                source.forward_page(self._request.app, self._move, place.address, place.port)

    def _comes_to_a_stop(self) -> bool:
        """Wait until an application that says where its page is has been stopped for a moment; whether it still is."""
        while not self._over.wait(POLL):
            now = journal.position(self._directory / "journal.jsonl")
            if now.failure or now.finished or any(phase in now.began for phase in _RUNS_AGAIN):
                return False
            if Phase.STOP in now.ended and self._clock.time() >= now.ended[Phase.STOP] + GRACE:
                return records.from_data(Known, now.notes["known"]).application.wishes.page is not None
        return False
