"""Moves under way and earlier ones."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...grid.errors import GridError, UnreachableError
from ..migration import Migration
from . import events
from .context import desk
from .timeline import Shown, ended, result, shown

routes = Blueprint("moves", __name__)


@routes.get("/moves")
def history() -> str:
    found = desk().migration().history()
    every = sorted((moved for moves in found.said.values() for moved in moves), key=lambda moved: moved.move)
    return render_template("history.html", moves=every[::-1], silent=found.silent, ended=ended)


@routes.get("/moves/current")
def current() -> Response:
    """Lead to the move that the lock file speaks of."""
    found = desk().migration().under_way()
    return redirect(url_for("moves.move", grid=found.request.target_grid, move=found.move), 303)


@routes.get("/moves/<grid>/<move>")
def move(grid: str, move: str) -> ResponseReturnValue:
    return _page(grid, move, "", 200)


@routes.post("/moves/<grid>/<move>")
def cancel(grid: str, move: str) -> ResponseReturnValue:
    """Turn the move back, if it is the one under way."""
    if not desk().may_act:
        return _page(grid, move, "Nobody may cancel a move here without a login.", 403)
    try:
        found = desk().migration().under_way()
        if (found.request.target_grid, found.move) != (grid, move):
            return _page(grid, move, "This move is not under way; nothing was cancelled.", 409)
        desk().migration().cancel()
    except GridError as error:
        return _page(grid, move, str(error), 409)
    return redirect(url_for("moves.move", grid=grid, move=move), 303)


@routes.get("/moves/<grid>/<move>/log")
def log(grid: str, move: str) -> Response:
    return Response(desk().migration().log(grid, move), mimetype="text/plain")


@routes.get("/moves/<grid>/<move>/events")
def follow(grid: str, move: str) -> Response:
    """The move as server-sent events, for a while: then the browser asks again, and shows its session again."""
    migration, streams = desk().migration(), desk().streams
    found = migration.moved(grid, move)
    if not streams.acquire(blocking=False):
        abort(503)
    known = request.headers.get("Last-Event-ID", "")
    draw = current_app.jinja_env.get_template("timeline.html").render
    answer = Response(events.stream(migration, found, draw, known), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(streams.release)
    return answer


def _page(grid: str, move: str, problem: str, status: int) -> Response:
    migration = desk().migration()
    try:
        now, log = _now(migration, grid, move), migration.log(grid, move)
    except UnreachableError as error:
        now, log, problem = None, "", f"{problem} {error}".strip()
    report = now.report if now else None
    page = render_template(
        "move.html",
        grid=grid,
        move=move,
        now=now,
        log=events.tail(log),
        problem=problem,
        result=result(report) if report and now and now.finished else (),
    )
    return make_response(page, status)


def _now(migration: Migration, grid: str, move: str) -> Shown:
    return shown(migration.moved(grid, move).request, migration.news(grid, move, 0.0, 0.0))
