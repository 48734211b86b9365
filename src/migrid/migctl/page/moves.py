"""A move, under way or over."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...grid.errors import GridError, UnreachableError
from . import events, tokens
from .showing import Moves, showing
from .timeline import Shown, result, shown

routes = Blueprint("moves", __name__)


@routes.get("/moves/<grid>/<move>")
def move(grid: str, move: str) -> ResponseReturnValue:
    return _page(grid, move, "", 200)


@routes.post("/moves/<grid>/<move>")
def cancel(grid: str, move: str) -> ResponseReturnValue:
    """Turn the move back, if it is the one under way."""
    if not showing().may_act:
        return _page(grid, move, "Nobody may cancel a move here without a login.", 403)
    try:
        found = showing().migration().under_way()
        if (found.request.target_grid, found.move) != (grid, move):
            return _page(grid, move, "This move is not under way; nothing was cancelled.", 409)
        showing().migration().cancel()
    except GridError as error:
        return _page(grid, move, str(error), 409)
    return redirect(url_for("moves.move", grid=grid, move=move), 303)


@routes.get("/moves/<grid>/<move>/log")
def log(grid: str, move: str) -> Response:
    return Response(showing().migration().log(grid, move), mimetype="text/plain")


@routes.get("/moves/<grid>/<move>/events")
def follow(grid: str, move: str) -> Response:
    """The move as server-sent events, for a while: then the browser asks again, and shows its session again."""
    migration, streams = showing().migration(), showing().streams
    found = migration.moved(grid, move)
    if not streams.acquire(blocking=False):
        abort(503)
    known = request.headers.get("Last-Event-ID", "")
    draw = current_app.jinja_env.get_template("timeline.html").render
    stream = events.stream(migration, found, events.Drawing(draw, _way(move)), known)
    answer = Response(stream, mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    answer.call_on_close(streams.release)
    return answer


def _page(grid: str, move: str, problem: str, status: int) -> Response:
    migration = showing().migration()
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
        way=_way(move)(now.monitor) if now else "",
        result=result(report) if report and now and now.finished else (),
    )
    return make_response(page, status)


def _way(move: str) -> Callable[[str], str]:
    """What makes a way into the monitor of the move out of where it answers, for a visitor of this session; empty if it
    answers nowhere."""
    key = tokens.key_of(current_app)
    return lambda place: f"https://{place}{tokens.ENTER}?token={tokens.make(key, move)}" if place else ""


def _now(migration: Moves, grid: str, move: str) -> Shown:
    return shown(migration.moved(grid, move).request, migration.news(grid, move, 0.0, 0.0))
