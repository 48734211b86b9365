"""Earlier moves, and the way to the one under way."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug import Response

from .context import desk
from .timeline import ended

routes = Blueprint("history", __name__)


@routes.get("/moves")
def moves() -> str:
    found = desk().migration().history()
    every = sorted((moved for moves in found.said.values() for moved in moves), key=lambda moved: moved.move)
    return render_template("history.html", moves=every[::-1], silent=found.silent, ended=ended)


@routes.get("/moves/current")
def current() -> Response:
    """Lead to the move that the lock file speaks of."""
    found = desk().migration().under_way()
    return redirect(url_for("moves.move", grid=found.request.target_grid, move=found.move), 303)
