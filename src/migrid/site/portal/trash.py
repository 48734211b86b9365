"""The trash: what was deleted, and its way back."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .context import home
from .files import Done, back_to

routes = Blueprint("trash", __name__)


@routes.get("/trash.py")
def trash() -> ResponseReturnValue:
    """What can come back, the last deleted first."""
    with home() as files:
        items = files.trash.items()[::-1]
    return render_template("trash.html", items=items)


@routes.post("/restore.py")
def restore() -> ResponseReturnValue:
    """Move things back to where they were."""
    with home() as files:
        places = [files.trash.restore(identifier) for identifier in request.form.getlist("undo")]
    if not places:
        return redirect(url_for("trash.trash"), 303)
    return back_to("/".join(places[-1][:-1]), Done("restored", [place[-1] for place in places]))


@routes.post("/empty.py")
def empty() -> ResponseReturnValue:
    """Remove for good what is in the trash."""
    with home() as files:
        files.trash.empty()
    return redirect(url_for("trash.trash"), 303)
