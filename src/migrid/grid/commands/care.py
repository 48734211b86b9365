"""The commands of `mig-grid` that keep a grid in order."""

from __future__ import annotations

import argparse

from ...table import table
from .. import checking, guard, names
from ..application import Level
from ..applications import releasing
from ..errors import GridError, UnknownError
from ..forward import DockerForwarder
from ..opening import open_engine, open_forwarder, open_source, open_target
from ..sides import Forward
from ..state import here
from .opened import Add, add_json, applications, print_json


def add_commands(add: Add) -> None:
    """The commands, as `cli` offers them."""
    add_json(add("forwards", list_forwards, "list the old addresses that go on answering here"))
    unforward = add("unforward", end_forward, "let the old address of an application answer no more")
    unforward.add_argument("app", metavar="APP", help="its name when it was here")
    release = add("release-lock", release_lock, "take an application away from a move that nobody carries out any more")
    release.add_argument("app", metavar="APP", help="name of the application")
    release.add_argument("--yes", action="store_true", help="do it; without this it is only said what would be done")
    twice = "also when another grid has the right to run it"
    release.add_argument("--even-if-it-runs-twice", action="store_true", help=twice)
    add_json(add("check", check, "see whether this grid is ready for moves"))
    add("guard", run_guard, "watch over the moves of this grid; its service runs this")


def list_forwards(args: argparse.Namespace) -> int:
    """`mig-grid forwards`."""
    found = _forwarder().all()
    if args.json:
        print_json(found)
    else:
        rows = (_row(app, forward) for app, forwards in sorted(found.items()) for forward in forwards)
        print(table(["Application", "Old port", "Goes on to"], rows))
    return 0


def end_forward(args: argparse.Namespace) -> int:
    """`mig-grid unforward`."""
    forwarder = _forwarder()
    app = names.application(args.app)
    if not forwarder.forwards(app):
        there = ", ".join(sorted(forwarder.all())) or "nothing"
        raise UnknownError(f"Nothing is forwarded for {app}; forwarded is: {there}.")
    forwarder.end(app)
    print(f"The old address of {app} answers no more.")
    return 0


def release_lock(args: argparse.Namespace) -> int:
    """`mig-grid release-lock`."""
    grid = applications()
    app = names.application(args.app)
    found = releasing.release(grid, app)
    print(found.text)
    if not args.yes:
        print("Nothing was changed; --yes does it.")
        return 1
    if found.way is releasing.Way.TAKE_BACK_GIVEN and not args.even_if_it_runs_twice:
        raise GridError("another grid has the right to run it; --even-if-it-runs-twice takes that on you")
    releasing.carry_out(found, grid, app, open_source(grid.state), open_target(grid.state))
    print("Done.")
    return 0


def check(args: argparse.Namespace) -> int:
    """`mig-grid check`."""
    state = here()
    found = list(checking.findings(state, open_engine(state)))
    if args.json:
        print_json(found)
    else:
        rows = ((item.check, item.level.value, f"{item.text} {item.remedy}".rstrip()) for item in found)
        print(table(["Check", "", "Finding"], rows))
    return 1 if any(item.level is Level.BLOCKS for item in found) else 0


def run_guard(_: argparse.Namespace) -> int:
    """`mig-grid guard`."""
    return guard.main(here())


def _forwarder() -> DockerForwarder:
    forwarder = open_forwarder(here())
    if not isinstance(forwarder, DockerForwarder):
        raise GridError("This grid forwards nothing.")
    return forwarder


def _row(app: str, forward: Forward) -> tuple[str, ...]:
    port = forward.port
    address = f"{port.host_address}:" if port.host_address else ""
    return app, f"{address}{port.host_port}/{port.protocol}", f"{forward.address}:{forward.target_port}"
