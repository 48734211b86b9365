"""The first page: where the application is, the move under way, and what could be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug import Response

from ...grid import names
from ...grid.errors import GridError, UnreachableError
from ...grid.moves.request import CutOver, DestroySource
from ...grid.sides import Action
from ..migration import Wish
from . import sessions
from .context import desk
from .offers import Found

routes = Blueprint("choose", __name__)


@dataclass(frozen=True)
class Choice:
    """The form as it was filled in."""

    grid: str = ""
    app: str = ""
    action: str = ""
    cut_over: str = CutOver.WHEN_READY.value
    at: str = ""
    bandwidth_limit: str = ""
    stop_timeout: str = ""
    keep: str = ""

    def wish(self) -> Wish:
        """Raises InvalidNameError, ValueError for an action that no form of ours has."""
        options = {
            "cut_over": self.at or self.cut_over,
            "bandwidth_limit": self.bandwidth_limit,
            "stop_timeout": self.stop_timeout,
            "destroy_source": DestroySource.KEEP.value if self.keep else "",
        }
        given = {name: value for name, value in options.items() if value}
        return Wish(names.grid(self.grid), names.application(self.app), Action(self.action), given)


@routes.get("/")
def home() -> ResponseReturnValue:
    found = desk().found()
    if found.is_there:
        return _locked(found, "")
    return _form(Choice(), "", 200)


@routes.post("/")
def make_plan() -> ResponseReturnValue:
    found = desk().found()
    if found.is_there:
        return make_response(_locked(found, "Somebody has begun a move since this page was opened."), 409)
    return _plan(found)


@routes.get("/override")
def override() -> ResponseReturnValue:
    """The same form while there is a lock file."""
    return _form(Choice(), "", 200) if desk().found().is_there else redirect(url_for(sessions.HOME), 303)


@routes.post("/override")
def make_overriding_plan() -> ResponseReturnValue:
    return _plan(desk().found())


@routes.get("/name")
def name() -> Response:
    """What is wrong with a name on a grid, for the script that asks while it is typed."""
    try:
        app = names.application(request.args.get("app", "").strip())
        problem = desk().migration().taken(request.args.get("grid", ""), app)
    except GridError as error:
        problem = str(error)
    return jsonify(problem=problem)


def _plan(found: Found) -> ResponseReturnValue:
    choice = _chosen(request.form)
    try:
        wish = choice.wish()
        plan = desk().migration().plan(wish, override=found.is_there)
    except ValueError:
        return _form(choice, "Choose whether to migrate or to take a snapshot.", 400)
    except UnreachableError as error:
        return _form(choice, str(error), 503)
    except GridError as error:
        return _form(choice, str(error), 400)
    offer = desk().offers.add(sessions.visitor(), wish, plan, found)
    return redirect(url_for("plans.plan", name=offer.name), 303)


def _chosen(form: Mapping[str, str]) -> Choice:
    return Choice(**{field: form.get(field, "").strip() for field in Choice.__dataclass_fields__})


def _form(choice: Choice, problem: str, status: int) -> Response:
    migration = desk().migration()
    here, targets = migration.here(), migration.targets()
    actions = [action for action in Action if desk().properties.mode.allows(action)]
    page = render_template(
        "choose.html", here=here, targets=targets, actions=actions, choice=choice, problem=problem, found=desk().found()
    )
    return make_response(page, status)


def _locked(found: Found, problem: str) -> str:
    return render_template("locked.html", found=found, problem=problem)
