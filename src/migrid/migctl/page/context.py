"""What stands behind every page: the properties, the moves of this application, and what is remembered of visitors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from flask import current_app

from ..errors import LockFileError
from ..migration import Migration
from ..properties import Properties
from .attempts import Attempts
from .caretaker import Caretaker
from .offers import Found, Offers
from .sessions import Ended
from .showing import new_streams


@dataclass
class Desk:
    """`place` is the directory 3tera of the config volume. `migration` may raise GridError as long as the volume holds
    something wrong."""

    properties: Properties
    place: Path
    migration: Callable[[], Migration]
    attempts: Attempts = field(default_factory=Attempts)
    offers: Offers = field(default_factory=Offers)
    ended: Ended = field(default_factory=Ended)
    streams: threading.BoundedSemaphore = field(default_factory=new_streams)
    starting: threading.Lock = field(default_factory=threading.Lock)
    caretaker: Caretaker = field(init=False)

    def __post_init__(self) -> None:
        self.caretaker = Caretaker(self.migration)

    @property
    def asks_for_login(self) -> bool:
        return self.properties.asks_for_login

    @property
    def may_act(self) -> bool:
        return self.properties.may_act

    def found(self) -> Found:
        """The lock file, in whatever state it is."""
        try:
            return Found(self.migration().lock())
        except LockFileError as error:
            return Found(damaged=str(error))


def desk() -> Desk:
    """The desk of the application that answers."""
    return cast(Desk, current_app.extensions["desk"])
