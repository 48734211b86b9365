"""Finishes what moves leave, beside the page: what the start of the application does, whenever there is a lock file."""

from __future__ import annotations

import logging
import threading

from ...grid.errors import GridError
from ..decision import Act
from ..starting import LONGEST_DELAY, WAITING
from .context import Desk

log = logging.getLogger(__name__)


class Caretaker(threading.Thread):
    """Runs as long as the process does."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(name="caretaker", daemon=True)
        self._desk = desk
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self.look()):
            pass

    def look(self) -> float:
        """Settle what can be settled; in how many seconds to look again."""
        try:
            decision = self._desk.migration().settle()
        except (GridError, OSError) as error:
            log.warning("%s", error)
            return LONGEST_DELAY
        if decision.act not in (Act.NOTHING, Act.WAIT):
            log.info("%s", decision.text)
        return LONGEST_DELAY if decision.act is Act.TELL else WAITING

    def end(self) -> None:
        """Let it end once it has looked."""
        self._ending.set()
