"""A plan, and its explicit confirmation."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...grid.application import Level
from ...grid.errors import GridError, UnreachableError
from ...grid.helper import Started
from ...grid.sides import Action
from . import sessions
from .context import desk
from .offers import Offer
from .timeline import effects

routes = Blueprint("plans", __name__)

STAYS = (
    "Connections that are open when the application is stopped, and what it keeps in memory only.",
    "What containers wrote outside of their volumes, and their logs.",
    "Bind mounts outside of the project directory; the findings name them.",
)


@routes.get("/plans/<name>")
def plan(name: str) -> ResponseReturnValue:
    offer = desk().offers.find(name, sessions.visitor())
    return _page(offer, "", 200) if offer else _gone()


@routes.post("/plans/<name>")
def confirm(name: str) -> ResponseReturnValue:
    """Start what the plan says, if nothing has changed since it was made."""
    offer = desk().offers.find(name, sessions.visitor())
    if offer is None:
        return _gone()
    if not desk().may_act:
        return _page(offer, "Nobody may start a move here without a login.", 403)
    if offer.plan.blocked:
        return _page(offer, "This plan cannot be carried out. Mend what blocks it, and plan again.", 409)
    if not request.form.get("sure"):
        return _page(offer, "Nothing was started. Say that you are sure first.", 400)
    taken = desk().offers.take(name, sessions.visitor(), request.form.get("confirmation", ""))
    if taken is None:
        return _gone()
    try:
        move = _start(taken).move
    except UnreachableError as error:
        return _refused(f"{error} The move may have begun all the same; the lock file stays until that is known.", 503)
    except GridError as error:
        return _refused(str(error), 409)
    return redirect(url_for("moves.move", grid=taken.wish.grid, move=move), 303)


def _start(offer: Offer) -> Started:
    """One at a time, so that the lock file that is overridden is the one that was seen. Raises GridError."""
    with desk().starting:
        if desk().found() != offer.found:
            raise GridError("Somebody has begun or ended a move since this plan was made. Nothing was started.")
        return desk().migration().start(offer.wish, override=offer.found.is_there)


def _page(offer: Offer, problem: str, status: int) -> Response:
    findings = offer.plan.findings
    page = render_template(
        "plan.html",
        offer=offer,
        plan=offer.plan,
        asked=offer.plan.request,
        problem=problem,
        blocking=[found for found in findings if found.level is Level.BLOCKS],
        warning=[found for found in findings if found.level is Level.WARNS],
        fine=[found for found in findings if found.level is Level.OK],
        effects=effects(offer.plan.request, offer.plan.downtime_seconds),
        stays=STAYS,
        is_migration=offer.wish.action is Action.MIGRATE,
    )
    return make_response(page, status)


def _gone() -> Response:
    return _refused("This plan was confirmed already, or is older than 15 minutes. Nothing was started by it now.", 410)


def _refused(problem: str, status: int) -> Response:
    return make_response(render_template("problem.html", problem=problem), status)
