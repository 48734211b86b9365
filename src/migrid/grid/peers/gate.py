"""The gate of a grid: what another grid reaches when it comes in over SSH, and all that it reaches.

`mig-grid-gate PEER` is the forced command of the peer's key. It knows four words: `verbs` (lines of JSON, see
`wire.py`), `trees APP MOVE` and `images APP MOVE` (streams), and `probe` (a stream to measure). A peer may touch only
what a move of its own has locked; before that it may ask what there is, and lock. Anything else is refused with one
line and exit status 2.
"""

from __future__ import annotations

import os
import syslog
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Protocol

from .. import names, records
from ..errors import LockedError, RefusedError
from ..opening import open_source
from ..sides import Lock, Source
from ..state import State
from ..volumes.client import Channel
from . import serving, wire
from .channels import widen
from .serving import INPUT, OUTPUT, Visitor, greet

PROGRAM = "mig-grid-gate"

_PROBE_PIECE = bytes(1 << 20)
_PROBE_PIECES = 4096
_LEVELS = {"keep": syslog.LOG_DEBUG}
_UNLOCKED = frozenset({"facts", "describe", "owner", "reaches", "seconds"})


class GatedSource(Source, Protocol):
    """What the gate needs of its own grid: the verbs, and streams onto file descriptors that it was given."""

    def send_trees(self, app: str, move: str, channel: Channel) -> Callable[[], None]:
        """Let a sender beside the trees serve the channel; what waits for its end."""

    def write_images(
        self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str], stream: BinaryIO
    ) -> None:
        """Write the archive of images."""


def main() -> int:
    """Serve a peer; the exit status."""
    return serving.run(PROGRAM, "PEER", lambda peer, state: Gate(peer, state, open_source(state)))


class Gate:
    """The gate as one peer meets it, on the standard input and output of this process."""

    def __init__(self, peer: str, state: State, source: GatedSource) -> None:
        self.peer = peer
        self.state = state
        self.source = source
        self._visitor = Visitor(PROGRAM, f"grid {peer}")

    def serve(self, command: str) -> int:
        """Do what the command says."""
        return self._visitor.serve(command, lambda: self._obey(command))

    def _obey(self, command: str) -> None:
        word, app, move = self._accepted(command)
        self._visitor.audit(command)
        self._serve(word, app, move)

    def _accepted(self, command: str) -> tuple[str, str, str]:
        """The word of the command, with its application and move. Raises GridError."""
        configuration = self.state.configuration()
        if names.grid(self.peer) not in configuration.peers:
            raise RefusedError(f"grid {self.peer} is no peer of grid {configuration.name}")
        match command.split(" "):
            case ["verbs" | "probe" as word]:
                return word, "", ""
            case ["trees" | "images" as word, app, move]:
                self._check_lock(names.application(app), names.move(move))
                return word, app, move
        raise RefusedError("a grid may ask for: verbs, trees APP MOVE, images APP MOVE, probe")

    def _serve(self, word: str, app: str, move: str) -> None:
        widen(INPUT, OUTPUT)
        if word == "trees":
            self._send_trees(app, move)
            return
        greet()
        if word == "verbs":
            self._visitor.answer_verbs(wire.VERBS, self._carry_out)
        elif word == "images":
            self._send_images(app, move)
        else:
            _send_probe()

    def _send_trees(self, app: str, move: str) -> None:
        """The sender, which says nothing until it is asked, gets the descriptors before the greeting, so that it can be
        said what hinders it. This process and sudo hold them too, so it stays as long as the sender does."""
        wait = self.source.send_trees(app, move, Channel(INPUT, OUTPUT, lambda: None))
        greet()
        wait()

    def _send_images(self, app: str, move: str) -> None:
        with os.fdopen(INPUT, "rb", closefd=False) as lines, os.fdopen(OUTPUT, "wb", closefd=False) as stream:
            wanted = records.from_data(wire.ImagesWanted, wire.read_line(lines))
            self.source.write_images(app, move, wanted.images, wanted.known_layers, stream)

    def _carry_out(self, verb: str, arguments: dict[str, Any]) -> Any:
        if verb == "lock":
            self._check_own(arguments["lock"])
        elif verb not in _UNLOCKED:
            app, move = names.application(arguments["app"]), names.move(arguments["move"])
            if verb == "finish" and self.state.lock(app) is None:
                return None
            self._check_lock(app, move)
            self._visitor.audit(f"{verb} of {app} for {move}", _LEVELS.get(verb, syslog.LOG_INFO))
        elif "app" in arguments:
            names.application(arguments["app"])
        elif arguments.get("grid", self.peer) != self.peer:
            raise RefusedError(f"grid {self.peer} may ask for the way to itself only")
        return getattr(self.source, verb)(**arguments)

    def _check_own(self, lock: Lock) -> None:
        """A peer locks what is to move from here to itself, and nothing else."""
        names.application(lock.source_app_name)
        names.move(lock.move)
        here = self.state.configuration().name
        if (lock.source_grid, lock.target_grid) != (here, self.peer):
            raise RefusedError(
                f"grid {self.peer} may lock applications of grid {here} for moves to itself, not for moves from"
                f" {lock.source_grid!r} to {lock.target_grid!r}"
            )
        self._visitor.audit(f"lock of {lock.source_app_name} for {lock.move}")

    def _check_lock(self, app: str, move: str) -> None:
        lock = self.state.lock(app)
        if lock is None or (lock.move, lock.target_grid) != (move, self.peer):
            held = f"holds the lock of move {lock.move} to grid {lock.target_grid}" if lock else "is not locked"
            raise LockedError(f"{app} {held}, so that move {move} of grid {self.peer} may not touch it")


def _send_probe() -> None:
    for _ in range(_PROBE_PIECES):
        os.write(OUTPUT, _PROBE_PIECE)
