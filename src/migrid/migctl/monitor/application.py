"""The monitor as a WSGI application: the pages about one move, for whoever has a session of MIGCTL's page."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from flask import Blueprint, Flask, current_app, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from ... import files
from ...grid.errors import GridError, UnknownError
from ...grid.helper import request_of
from ...grid.moves import monitored
from ...grid.moves.monitored import MonitorSecrets
from ...grid.moves.request import Request
from ...grid.state import State, sync
from ..page import moves, sessions, showing, tokens
from ..page.showing import Moves, new_streams
from .one_move import OneMove

routes = Blueprint("enter", __name__)


@dataclass
class Monitor:
    """`page.showing.Showing` for one move. `own` is the directory that it writes to."""

    move: str
    asked: Request
    secrets: MonitorSecrets
    moves: OneMove
    own: Path
    streams: threading.BoundedSemaphore = field(default_factory=new_streams)

    @property
    def asks_for_login(self) -> bool:
        return self.secrets.asks_for_login

    @property
    def may_act(self) -> bool:
        return self.secrets.may_act

    def migration(self) -> Moves:
        return self.moves

    def use(self, token: str) -> bool:
        """Whether the token lets somebody in, as it does once, whatever happens to this process."""
        name = tokens.name_of(tokens.key_of(current_app), self.move, token)
        try:
            used = bool(name) and files.make_once(self.own / f"entered-{name}", b"")
            sync(self.own)
        except FileNotFoundError:
            return False
        return used


def monitor_of(state: State, move: str) -> Monitor:
    """The monitor of a move. Raises UnknownError when the move is to have none, GridError."""
    directory = state.move_directory(move)
    asked, secrets = request_of(state, move), monitored.secrets_of(directory)
    if asked is None or secrets is None:
        raise UnknownError(f"Nothing was left in {directory} for a monitor.")
    return Monitor(move, asked, secrets, OneMove(state, move, asked), directory / monitored.OWN)


def build(monitor: Monitor) -> Flask:
    """The pages of a monitor. Raises ValueError when its key is none."""
    app = Flask(__name__, static_folder=None)
    showing.furnish(app, monitor, bytes.fromhex(monitor.secrets.signing_key))
    sessions.guard(app, monitor.asks_for_login, sessions.Ended(), lambda: _moving(403))
    app.before_request(_lead)
    app.register_blueprint(moves.routes)
    app.register_blueprint(routes)
    app.register_error_handler(GridError, lambda _: _moving(503))
    return app


@routes.get(tokens.ENTER)
def enter() -> Response:
    """Let in who comes from MIGCTL's page with a token, and lead to the move."""
    if not _monitor().use(request.args.get("token", "")):
        return _moving(403)
    sessions.begin("visitor" if _monitor().asks_for_login else "")
    return _to_the_move()


def _lead() -> Response | None:
    """Whatever else the browser asks for, there is this move."""
    found = _monitor()
    the_move = {"grid": found.asked.target_grid, "move": found.move}
    here = request.blueprint == moves.routes.name and request.view_args == the_move
    if here or request.endpoint in (*sessions.FILES, f"{routes.name}.enter"):
        return None
    return _to_the_move() if request.method in ("GET", "HEAD") else _moving(503)


def _to_the_move() -> Response:
    return redirect(url_for("moves.move", grid=_monitor().asked.target_grid, move=_monitor().move), 303)


def _moving(status: int) -> Response:
    """Says that the application is being moved, and nothing of the move."""
    page = make_response(render_template("moving.html"), status)
    page.headers["Retry-After"] = "5"
    return page


def _monitor() -> Monitor:
    found: Monitor = current_app.extensions["desk"]
    return found
