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
from .moves.journal import Position
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
        if secrets is None or not self._comes_to(_copying):
            return
        port = self._monitors.start(self._move, self._request.target_app)
        place = Place(secrets.address or self._state.configuration().address, port)
        monitored.tell_place(self._directory, place)
        if self._comes_to(self._stopped_for_a_moment) and self._has_page():
            with self._source() as source:
                source.forward_page(self._request.app, self._move, place.address, place.port)

    def _comes_to(self, point: Callable[[Position], bool]) -> bool:
        """Wait until the move is at a point; whether it comes there before it turns back or the application runs."""
        while not self._over.is_set():
            now = self._position()
            if now.failure or now.finished or any(phase in now.began for phase in _RUNS_AGAIN):
                return False
            if point(now):
                return True
            self._over.wait(POLL)
        return False

    def _position(self) -> Position:
        return journal.position(self._directory / "journal.jsonl")

    def _stopped_for_a_moment(self, now: Position) -> bool:
        return Phase.STOP in now.ended and self._clock.time() >= now.ended[Phase.STOP] + GRACE

    def _has_page(self) -> bool:
        """Whether the application says where its page is."""
        return records.from_data(Known, self._position().notes["known"]).application.wishes.page is not None


def _copying(now: Position) -> bool:
    """Until then there is little to see, and the move needs the engine itself."""
    return "survey" in now.notes
