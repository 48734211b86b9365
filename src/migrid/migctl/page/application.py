"""The page as a WSGI application."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path

from flask import Flask, make_response, render_template
from werkzeug import Response
from werkzeug.exceptions import BadRequest

from ...grid.errors import GridError, InvalidNameError, OptionError, UnknownError, UnreachableError
from .. import properties
from ..migration import Migration
from ..opening import CONFIG, STATE, opened
from . import choose, history, login, moves, plans, sessions, showing
from .context import Desk
from .keys import key_of, signing_key

_STATUS = {UnknownError: 404, InvalidNameError: 404, OptionError: 400, UnreachableError: 503}


def create_app(config: Path = CONFIG) -> Flask:
    """The page of the container that this runs in. Raises PropertiesError, OSError."""
    desk = Desk(properties.read(os.environ), config / STATE, _Opening(config).migration)
    desk.caretaker.start()
    return build(desk)


def build(desk: Desk) -> Flask:
    """The page of an application. Raises OSError when the config volume cannot be used."""
    app = Flask(__name__, static_folder=None)
    showing.furnish(app, desk, signing_key(key_of(desk.place), desk.properties))
    sessions.guard(app, desk.asks_for_login, desk.ended, sessions.to_login)
    for part in (choose, login, plans, history, moves):
        app.register_blueprint(part.routes)
    app.register_error_handler(GridError, _problem)
    app.register_error_handler(BadRequest, _bad_request)
    return app


def _problem(error: GridError) -> Response:
    """Errors of the grids are written for the owner."""
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 409)
    return make_response(render_template("problem.html", problem=str(error)), status)


def _bad_request(error: BadRequest) -> Response:
    return make_response(render_template("problem.html", problem=error.description), 400)


class _Opening:
    """The moves of this application, opened when they are first asked for, and again as long as that fails: then the
    owner reads why, and mends it."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._opened: Migration | None = None
        self._open = ExitStack()
        self._opening = threading.Lock()

    def migration(self) -> Migration:
        with self._opening:
            if self._opened is None:
                self._opened = self._open.enter_context(opened(os.environ, self._config))
            return self._opened
