"""What the pages about a move need, whoever shows them: MIGCTL, which asks the grids, or the monitor of the move, which
reads what is beside it.
"""

from __future__ import annotations

import threading
from typing import Protocol, cast

from flask import Blueprint, Flask, current_app

from ... import web
from ...grid import units
from ...grid.moves.live import News
from ...grid.owners.service import Moved
from . import sessions

MOST_BYTES = 64 * 1024
MOST_STREAMS = 12


class Moves(Protocol):
    """The moves of an application. Each method raises UnknownError, UnreachableError."""

    def under_way(self) -> Moved:
        """The move that the application is in."""

    def moved(self, grid: str, move: str) -> Moved:
        """A move to a grid, under way or over."""

    def news(self, grid: str, move: str, since: float, wait: float) -> News:
        """What is new of a move after `since`, at the latest after `wait` seconds."""

    def log(self, grid: str, move: str) -> str:
        """The log of a move."""

    def cancel(self) -> None:
        """Turn the move under way back. Raises RefusedError when it is too late."""


class Showing(Protocol):
    """Who shows the pages. Visitors log in if it `asks_for_login`; then they `may_act`, or only look. There are not
    more `streams` of events at once than it can bear."""

    streams: threading.BoundedSemaphore

    @property
    def asks_for_login(self) -> bool: ...

    @property
    def may_act(self) -> bool: ...

    def migration(self) -> Moves: ...


def new_streams() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(MOST_STREAMS)


def furnish(app: Flask, desk: Showing, key: bytes) -> None:
    """Give an application the sessions that this key signs, and what its pages need."""
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    app.extensions["desk"] = desk
    web.furnish(app, web.Frame("MIGCTL", scripted=True))
    sessions.configure(app, key)
    parts = Blueprint("page", __name__, static_folder="static", template_folder="templates")
    app.register_blueprint(parts, url_prefix="/page")
    app.jinja_env.filters.update(size=units.size, seconds=units.seconds)
    app.jinja_env.globals["desk"] = desk


def showing() -> Showing:
    """Who shows the page that is asked for."""
    return cast(Showing, current_app.extensions["desk"])
