"""MigHelper: for each move one container on the target grid, under the engine's restart policy, that carries it out.

What it knows is in the move's directory, so that one MigHelper goes on where another was killed. It removes itself when
the move is over.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import names
from .clock import SystemClock
from .errors import GridError, LockedError, UnknownError
from .helpers import Helpers
from .local.locking import describe
from .monitoring import Monitoring
from .moves import asking, control, journal, monitored
from .moves.monitored import MonitorSecrets
from .moves.move import Move
from .moves.plan import Plan
from .moves.report import Report
from .moves.request import Request
from .opening import open_helpers, open_monitors, open_target, peer_of, remote_source
from .state import ETC, ROOT, State, read_json, write_json

_STOPPED = 143


@dataclass(frozen=True)
class Started:
    """A move that goes on; `attached` when it was under way before it was asked for."""

    move: str
    attached: bool


def start_move(
    state: State, request: Request, helpers: Helpers | None = None, secrets: MonitorSecrets | None = None
) -> Started:
    """Let MigHelper carry out what is asked for.

    If that move is under way already, it is taken up: it gets the `cut_over` of this request, if there is one, and a
    MigHelper if it has none. A new one has a monitor if there are `secrets` for it.

    Raises LockedError when another move has the application's name on this grid, UnknownError when the source is no
    peer of it.
    """
    app = request.target_app
    peer_of(state, request.source_grid)
    with state.exclusive(app):
        attached = _taken_up(state, request)
        move = attached or _new(state, request, secrets)
        (helpers or open_helpers(state)).start(move, app)
        _forget_monitors(state, app, move)
    return Started(move, attached is not None)


def make_plan(state: State, request: Request) -> Plan:
    """What a move would do. Nothing is changed but a lock, for a moment."""
    move = names.new_move()
    try:
        with remote_source(state, request.source_grid) as source:
            return asking.make_plan(request, source, open_target(state), move, SystemClock())
    finally:
        shutil.rmtree(state.move_directory(move), ignore_errors=True)


def run_move(state: State, move: str) -> Report:
    """Carry a move out, or on, to its end. Raises UnknownError, LockedError."""
    request = request_of(state, move)
    if request is None:
        raise UnknownError(f"There is no move {move} to this grid; `mig-grid moves` lists them.")
    with remote_source(state, request.source_grid) as source:
        return Move(request, source, open_target(state), state.move_directory(move)).run()


def request_of(state: State, move: str) -> Request | None:
    """What was asked of the move."""
    return read_json(Request, state.move_directory(move) / "request.json")


def is_finished(state: State, move: str) -> bool:
    """Whether nothing is left to do for the move, whatever its result."""
    return journal.position(state.move_directory(move) / "journal.jsonl").finished


def unfinished(state: State) -> dict[str, Request]:
    """The moves to this grid that are not over, oldest first. One whose files are damaged is left alone."""
    found = {}
    for move in state.moves():
        with suppress(GridError):
            request = request_of(state, move)
            if request and not is_finished(state, move):
                found[move] = request
    return found


def dismiss(state: State, move: str, helpers: Helpers) -> None:
    """Remove the MigHelper of a move that is over, if it has one, and its monitor. It may be the one that this runs
    in."""
    monitored.remove(state.move_directory(move))
    request = request_of(state, move)
    if request and move in helpers.present():
        helpers.remove(request.target_app)


def check_free_for(owner: str, state: State, app: str) -> None:
    """Raises LockedError when an owner is to take the place of a move of somebody else's that brings an application of
    this name. An empty `owner` is the operator, who may."""
    held = state.lock(app)
    holding = [request_of(state, held.move)] if held else []
    bringing = [asked for asked in unfinished(state).values() if asked.target_app == app]
    if owner and any(asked is None or asked.owner != owner for asked in (*holding, *bringing)):
        raise LockedError(f"{app} is locked: somebody else's move has to do with this name; choose another target_app.")


def _taken_up(state: State, request: Request) -> str | None:
    """The move under way that the request means."""
    others = {move: asked for move, asked in unfinished(state).items() if asked.target_app == request.target_app}
    check_free_for(request.owner, state, request.target_app)
    for move, asked in others.items():
        if _aim(asked) == _aim(request):
            if request.cut_over:
                control.cut_over(state.move_directory(move), request.cut_over)
            return move
    if others and not request.override_lock:
        move, asked = next(iter(others.items()))
        raise LockedError(
            f"{request.target_app} is locked: move {move} ({asked.action.value} {asked.app} from {asked.source_grid})"
            f" is under way. `mig-grid move follow {move}` shows how far it is; override_lock takes its place."
        )
    held = state.lock(request.target_app)
    if held and not request.override_lock:
        raise LockedError(f"{request.target_app} is locked: {describe(held)}. override_lock takes its place.")
    return None


def _aim(request: Request) -> tuple[str, ...]:
    return (request.app, request.source_grid, request.target_grid, request.target_app, request.action.value)


def _new(state: State, request: Request, secrets: MonitorSecrets | None) -> str:
    move = names.new_move()
    write_json(state.move_directory(move) / "request.json", request)
    if secrets:
        monitored.leave_secrets(state.move_directory(move), secrets)
    return move


def _forget_monitors(state: State, app: str, move: str) -> None:
    """Those of moves whose place another one took."""
    for other, asked in unfinished(state).items():
        if asked.target_app == app and other != move:
            monitored.remove(state.move_directory(other))


def main() -> int:
    """What MigHelper runs: carry the move out, then remove the container."""
    args = _parser().parse_args()
    state = State(args.state, args.etc)
    signal.signal(signal.SIGTERM, _stop)
    try:
        _carry_out(state, args.move)
    except GridError as error:
        print(f"MigHelper: {error}", file=sys.stderr)
        return 1
    dismiss(state, args.move, open_helpers(state))
    return 0


def _carry_out(state: State, move: str) -> None:
    """Run the move, with what shows it beside it."""
    request = request_of(state, move)
    if request is None:
        raise UnknownError(f"There is no move {move} to this grid.")
    monitoring = Monitoring(
        state, move, request, open_monitors(state), lambda: remote_source(state, request.source_grid)
    )
    monitoring.start()
    run_move(state, move)
    monitoring.end()


def _stop(*_: object) -> NoReturn:
    """Leave the rest to the next MigHelper: the journal says where this one was."""
    raise SystemExit(_STOPPED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrid.grid.helper", description=__doc__)
    parser.add_argument("move", metavar="MOVE")
    parser.add_argument("--state", metavar="DIRECTORY", type=Path, default=ROOT)
    parser.add_argument("--etc", metavar="DIRECTORY", type=Path, default=ETC)
    return parser


if __name__ == "__main__":
    sys.exit(main())
