"""The file manager: what is in a directory, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from werkzeug import Response

from ..homes import Entry, EntryKind, FileError, Home, Kind, printable
from .context import home
from .names import moment, size, split, token, untoken

routes = Blueprint("files", __name__)

STATUS = {
    Kind.NOT_FOUND: 404,
    Kind.EXISTS: 409,
    Kind.NOT_ALLOWED: 403,
    Kind.NOT_EMPTY: 409,
    Kind.NO_SPACE: 507,
    Kind.DAMAGED: 500,
}
SENTENCES = {
    "made": "The folder {} is there.",
    "moved": "{} was moved.",
    "deleted": "{} is in the trash.",
    "restored": "{} is back.",
    "uploaded": "{} is there.",
}
NAMED = 5
ORDERS: dict[str, Callable[[Entry], Any]] = {
    "name": lambda entry: entry.name.casefold(),
    "size": lambda entry: entry.size,
    "modified": lambda entry: entry.modified,
}


class Done(NamedTuple):
    """What a form has done, with which names, and how it can be undone."""

    act: str
    what: Sequence[str]
    undo: Sequence[str] = ()

    @property
    def sentence(self) -> str:
        names = ", ".join(map(printable, self.what[:NAMED]))
        return SENTENCES[self.act].format(f"{names} …" if len(self.what) >= NAMED else names)


class Row(NamedTuple):
    """An entry as the page shows it. A page has thousands, so that each text is escaped and each address made once."""

    kind: EntryKind
    shown: Markup
    value: Markup
    place: Markup
    size: Markup
    changed: Markup


@routes.record_once
def add_filters(state: Any) -> None:
    """Let templates show sizes and times."""
    state.app.jinja_env.filters |= {"size": size, "moment": moment, "printable": printable, "token": token}


@routes.app_errorhandler(FileError)
def refused(error: FileError) -> ResponseReturnValue:
    """Say what did not work, and lead back."""
    back = url_for("files.fileman", path=request.values.get("path"))
    return render_template("refused.html", problem=str(error), back=back), STATUS.get(error.kind, 400)


@routes.get("/fileman.py")
def fileman() -> ResponseReturnValue:
    """The content of a directory."""
    path = untoken(request.args.get("path", "")).strip("/")
    order = request.args.get("sort", "name")
    reverse = request.args.get("order") == "down"
    with home() as files:
        entries = ordered(files.listing(path).values(), order, reverse)
        space = files.space()
    return render_template(
        "fileman.html",
        path=path,
        parents=parents(path),
        rows=rows(path, entries),
        sort=order,
        down=reverse,
        space=space,
        done=done_before(),
        kinds=EntryKind,
    )


@routes.get("/edit.py")
def edit() -> ResponseReturnValue:
    """The form to rename or move one entry."""
    *folder, name = split(untoken(request.args.get("path", ""))) or [""]
    with home() as files:
        files.stat((*folder, name))
    return render_template("edit.html", path="/".join(folder), name=name)


@routes.post("/mkdir.py")
def make_directory() -> ResponseReturnValue:
    """A new folder."""
    path, name = sent("path"), request.form.get("name", "").strip()
    with home() as files:
        files.make_directory((*split(path), name))
    return back_to(path, Done("made", [name]))


@routes.post("/mv.py")
def move() -> ResponseReturnValue:
    """Another name, or another folder, for one entry."""
    path, name = sent("path"), sent("name")
    target = request.form.get("target", "").strip().strip("/")
    with home() as files:
        files.move((*split(path), name), placed(files, target, path, name))
    return back_to(path, Done("moved", [name]))


@routes.post("/rm.py")
def delete() -> ResponseReturnValue:
    """Put entries into the trash."""
    path, names = sent("path"), [untoken(name) for name in request.form.getlist("name")]
    with home() as files:
        undo = [files.delete((*split(path), name)) for name in names]
    return back_to(path, Done("deleted", names, undo))


def back_to(path: str, done: Done) -> Response:
    """The folder, which says what was done."""
    what = [token(name) for name in done.what[:NAMED]]
    address = url_for("files.fileman", path=token(path) or None, done=done.act, what=what, undo=done.undo)
    return redirect(address, 303)


def done_before() -> Done | None:
    """What `back_to` was told."""
    act = request.args.get("done", "")
    what = [untoken(name) for name in request.args.getlist("what")]
    return Done(act, what, request.args.getlist("undo")) if act in SENTENCES and what else None


def sent(field: str) -> str:
    """A name or path that a form holds as a token."""
    return untoken(request.form.get(field, ""))


def placed(files: Home, target: str, path: str, name: str) -> tuple[str, ...]:
    """Where an entry goes that is moved to `target`: into a folder that is there, else to that path.

    A target without '/' is a name in the same folder.
    """
    names = split(target) if "/" in target else (*split(path), target)
    try:
        into_folder = files.stat(names).kind is EntryKind.DIRECTORY
    except FileError:
        into_folder = False
    return (*names, name) if into_folder else names


def ordered(entries: Any, order: str, reverse: bool) -> list[Entry]:
    """Folders first, then as asked."""
    found = sorted(entries, key=ORDERS.get(order, ORDERS["name"]), reverse=reverse)
    return sorted(found, key=lambda entry: entry.kind is not EntryKind.DIRECTORY)


def rows(path: str, entries: Sequence[Entry]) -> list[Row]:
    """What the page shows of the entries of a folder."""
    folder = quote(token(f"{path}/")) if path else ""
    return [_row(folder, entry) for entry in entries]


def _row(folder: str, entry: Entry) -> Row:
    value = token(entry.name)
    return Row(
        entry.kind,
        escape(printable(entry.name)),
        escape(value),
        escape(folder + quote(value)),
        escape(size(entry.size) if entry.kind is EntryKind.FILE else ""),
        escape(moment(entry.modified)),
    )


def parents(path: str) -> list[tuple[str, str]]:
    """Name and path of each folder on the way down."""
    names = split(path)
    return [(name, "/".join(names[: number + 1])) for number, name in enumerate(names)]
