"""MigHelper: for each move one container on the target grid, under the engine's restart policy, that carries it out.

What it knows is in the move's directory, so that one MigHelper goes on where another was killed. It removes itself when
the move is over.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from . import asking, control, journal, names
from .channels import Way
from .clock import SystemClock
from .docker_cli import DockerCli
from .errors import EngineError, GridError, LockedError, UnknownError
from .locking import describe
from .move import Move
from .opening import open_target
from .plan import Plan
from .remote import RemoteSource
from .report import Report
from .request import Request
from .state import ETC, ROOT, State, read_json, write_json

MOVE_LABEL = "mig.helper"
MODULE = "migrid.grid.helper"

_SOCKET = "/var/run/docker.sock"
_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER")  # over projects, whose files belong to whom they belonged before
_STOPPED = 143


class Helpers(Protocol):
    """What keeps drivers of moves running on this grid. Every method is idempotent and raises EngineError."""

    def present(self) -> dict[str, bool]:
        """The moves that have a driver, and whether it runs."""

    def start(self, move: str, target_app: str) -> None:
        """Let a driver of the move run, in place of any other that brings this application."""

    def remove(self, target_app: str) -> None:
        """End the driver that brings this application, if there is one."""


class DockerHelpers:
    """Containers of the helper image."""

    def __init__(self, cli: DockerCli, state: State) -> None:
        self._cli = cli
        self._state = state

    def present(self) -> dict[str, bool]:
        ids = self._cli.lines("ps", "--all", "--quiet", "--filter", f"label={MOVE_LABEL}")
        found = self._cli.inspect("container", ids)
        return {item["Config"]["Labels"][MOVE_LABEL]: bool(item["State"]["Running"]) for item in found}

    def start(self, move: str, target_app: str) -> None:
        name = container_name(target_app)
        found = self._cli.inspect("container", [name])
        if found and found[0]["State"]["Running"] and found[0]["Config"]["Labels"].get(MOVE_LABEL) == move:
            return
        self.remove(target_app)
        try:
            self._cli.run(*self._command(move, name))
        except BaseException:
            self.remove(target_app)
            raise

    def remove(self, target_app: str) -> None:
        if self._cli.inspect("container", [container_name(target_app)]):
            self._cli.run("rm", "--force", container_name(target_app))

    def _command(self, move: str, name: str) -> list[str]:
        image = self._state.configuration().helper_image
        if not image:
            raise EngineError(
                "This grid's configuration names no helper image; the playbook playbooks/grids.yml sets it."
            )
        return [
            *("run", "--detach", "--name", name, "--pull", "never", "--restart", "always", "--network", "host"),
            *("--label", f"{MOVE_LABEL}={move}", "--stop-timeout", "10"),
            *("--read-only", "--tmpfs", "/tmp", "--security-opt", "no-new-privileges"),  # noqa: S108 -- in the container
            *("--cap-drop", "ALL", *(word for name in _CAPABILITIES for word in ("--cap-add", name))),
            *self._mounts(),
            *(image, "python3", "-m", MODULE, move, "--state", str(self._state.root), "--etc", str(self._state.etc)),
        ]

    def _mounts(self) -> list[str]:
        """The same paths as on the host, because the engine and Compose are told about them. The configuration's
        directory is a link that changes, so the one that it is in is mounted."""
        places = {_SOCKET: "", str(self._state.root): "", str(self._state.etc.parent): ":ro", "/run/migrid": ""}
        return [word for path, mode in places.items() for word in ("--volume", f"{path}:{path}{mode}")]


@dataclass(frozen=True)
class Started:
    """A move that goes on; `attached` when it was under way before it was asked for."""

    move: str
    attached: bool


def start_move(state: State, request: Request, helpers: Helpers | None = None) -> Started:
    """Let MigHelper carry out what is asked for.

    If that move is under way already, it is taken up: it gets the `cut_over` of this request, and a MigHelper if it has
    none. Raises LockedError when another move has the application's name on this grid, UnknownError when the source is
    no peer of it.
    """
    app = request.target_app
    open_source(state, request)
    with state.exclusive(app):
        attached = _taken_up(state, request)
        move = attached or _new(state, request)
        (helpers or DockerHelpers(DockerCli(), state)).start(move, app)
    return Started(move, attached is not None)


def make_plan(state: State, request: Request) -> Plan:
    """What a move would do. Nothing is changed but a lock, for a moment."""
    source = open_source(state, request)
    try:
        return asking.make_plan(request, source, open_target(state), names.new_move(), SystemClock())
    finally:
        source.close()


def run_move(state: State, move: str) -> Report:
    """Carry a move out, or on, to its end. Raises UnknownError, LockedError."""
    request = request_of(state, move)
    if request is None:
        raise UnknownError(f"There is no move {move} to this grid; `mig-grid moves` lists them.")
    source = open_source(state, request)
    try:
        return Move(request, source, open_target(state), state.move_directory(move)).run()
    finally:
        source.close()


def open_source(state: State, request: Request) -> RemoteSource:
    """The source grid of a move to this one. Raises UnknownError when it is no peer."""
    configuration = state.configuration()
    peer = configuration.peers.get(request.source_grid)
    if peer is None:
        known = ", ".join(sorted(configuration.peers)) or "none"
        raise UnknownError(
            f"Grid {configuration.name} has no way to grid {request.source_grid!r}; its peers are: {known}."
            " playbooks/grids.yml makes the grids of an inventory peers of each other."
        )
    return RemoteSource(Way(request.source_grid, peer, state.root / "ssh"))


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


def container_name(target_app: str) -> str:
    return f"MigHelper_{names.application(target_app)}"


def _taken_up(state: State, request: Request) -> str | None:
    """The move under way that the request means."""
    others = {move: asked for move, asked in unfinished(state).items() if asked.target_app == request.target_app}
    for move, asked in others.items():
        if _aim(asked) == _aim(request):
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


def _new(state: State, request: Request) -> str:
    move = names.new_move()
    write_json(state.move_directory(move) / "request.json", request)
    return move


def main() -> int:
    """What MigHelper runs: carry the move out, then remove the container."""
    args = _parser().parse_args()
    state = State(args.state, args.etc)
    signal.signal(signal.SIGTERM, _stop)
    try:
        run_move(state, args.move)
    except GridError as error:
        print(f"MigHelper: {error}", file=sys.stderr)
        return 1
    request = request_of(state, args.move)
    if request:
        DockerHelpers(DockerCli(), state).remove(request.target_app)
    return 0


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
