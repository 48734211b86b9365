"""The forced command of the tests' sshd: the real gate, before a source that answers what `sample_verbs` says.

Files in the directory `orders` make it misbehave: what they are called is said where they are looked for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sample_verbs import ARCHIVE, RESULTS

from migrid.grid.errors import EngineError, UnknownError
from migrid.grid.peers import wire
from migrid.grid.peers.gate import Gate
from migrid.grid.state import State
from migrid.grid.volumes.client import Channel


def main() -> int:
    place, peer = Path(sys.argv[1]), sys.argv[2]
    state = State(place / "state", place / "etc")
    return Gate(peer, state, Sample(place)).serve(os.environ.get("SSH_ORIGINAL_COMMAND", ""))


class Sample:
    """Answers verbs, and notes them in the file `asked`."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __getattr__(self, verb: str) -> Any:
        if verb not in wire.VERBS:
            raise AttributeError(verb)
        return lambda **arguments: self._answer(verb, arguments)

    def _answer(self, verb: str, arguments: dict[str, Any]) -> Any:
        with (self.place / "asked").open("ab") as asked:
            asked.write(wire.request(verb, arguments))
        if self._ordered("kill-gate"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._ordered("kill-connection"):
            os.kill(session(), signal.SIGKILL)
        if self._ordered("freeze-connection"):
            os.kill(session(), signal.SIGSTOP)
            (self.place / "frozen").write_text(f"{session()} {os.getpid()}")
            signal.pause()
        if self._ordered("fail"):
            raise ValueError("a secret detail")
        if arguments.get("app") == "absent":
            raise UnknownError("There is no application absent here.")
        return RESULTS[verb]

    def send_trees(self, _app: str, _move: str, channel: Channel) -> Callable[[], None]:
        """A sender that gives back whatever comes."""
        if self._ordered("engine-away"):
            raise EngineError("the engine is away: it says so")
        if self._ordered("break-sender"):
            raise ValueError("a secret detail")
        if self._ordered("kill-sender"):
            return lambda: None
        sender = threading.Thread(target=echo, args=(channel,))
        sender.start()
        return sender.join

    def write_images(self, _app: str, _move: str, images: Any, known_layers: Any, stream: BinaryIO) -> None:
        assert (images, known_layers) == (("sha256:aa", "sha256:bb"), frozenset({"sha256:cc"}))
        stream.write(ARCHIVE)

    def _ordered(self, name: str) -> bool:
        order = self.place / "orders" / name
        if not order.exists():
            return False
        order.unlink()
        return True


def echo(channel: Channel) -> None:
    while content := os.read(channel.reader, 1 << 16):
        view = memoryview(content)
        while view:
            view = view[os.write(channel.writer, view) :]


def session() -> int:
    """The process of sshd that carries this connection."""
    process = os.getppid()
    while "sshd" not in Path(f"/proc/{process}/comm").read_text():
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return process


if __name__ == "__main__":
    sys.exit(main())
