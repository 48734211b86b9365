"""Finishes what moves leave, beside the page: what the start of the application does, whenever there is a lock file."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ...grid.errors import GridError
from ..decision import Act
from ..migration import Migration
from ..starting import LONGEST_DELAY, WAITING

log = logging.getLogger(__name__)


class Caretaker(threading.Thread):
    """Runs as long as the process does. `said` is what keeps it from finishing, for the owner to read."""

    def __init__(self, migration: Callable[[], Migration]) -> None:
        super().__init__(name="caretaker", daemon=True)
        self.said = ""
        self._migration = migration
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self.look()):
            pass

    def look(self) -> float:
        """Finish what is left, however long that takes; in how many seconds to look again."""
        try:
            decision = self._migration().starting.run(self._say)
        except (GridError, OSError) as error:
            self._say(str(error))
            return LONGEST_DELAY
        if decision.act is Act.TELL:
            self._say(decision.text)
            return LONGEST_DELAY
        self.said = ""
        return WAITING

    def end(self) -> None:
        """Let it end once it has looked."""
        self._ending.set()

    def _say(self, text: str) -> None:
        if text != self.said:
            log.warning("%s", text)
        self.said = text
