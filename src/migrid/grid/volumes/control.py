"""A mover that is a process of its own, in a container beside the trees: how others drive it.

A connection to its Unix socket is one sender or one receiver. The first line says which, and the descriptors of the
channel come with it, so that no bytes of a copy go through the caller. All lines are JSON objects:

    {"verb": "send"}                       {"result": null}, and the connection ends when the sender does
    {"verb": "receive", "state": …}        {"result": null}; then requests and answers:
    {"verb": "survey"}                     {"result": …} or {"error": …, "text": …}
    {"verb": "round", "final": …, …}       {"progress": …} …, then the same
    {"verb": "verify"}                     {"progress": …} …, then the same

A receiver whose caller closes the connection ends at once.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CopyError, GridError, UnreachableError
from ..records import from_data
from .client import Channel, Progress, Round, Session, Survey, Verification

Answer = TypeVar("Answer")
_RECEIVE_BYTES = 1 << 16


class SocketMover:
    """The mover that listens on a Unix socket."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def send(self, channel: Channel) -> Callable[[], None]:
        return _Connection(self._path, channel, {"verb": "send"}).wait

    def receive(self, channel: Channel, state: Path) -> Session:
        return _RemoteSession(_Connection(self._path, channel, {"verb": "receive", "state": str(state)}))


class _RemoteSession:
    """A session whose receiver works in the mover."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def survey(self) -> Survey:
        return from_data(Survey, self._connection.ask({"verb": "survey"}, _ignore))

    def round(self, final: bool, bandwidth_limit: int | None, progress: Callable[[Progress], None]) -> Round:
        request = {"verb": "round", "final": final, "bandwidth_limit": bandwidth_limit}
        return from_data(Round, self._connection.ask(request, progress))

    def verify(self, progress: Callable[[Progress], None]) -> Verification:
        return from_data(Verification, self._connection.ask({"verb": "verify"}, progress))

    def close(self) -> None:
        self._connection.close()


class _Connection:
    """One connection to a mover. Raises UnreachableError when the mover is away or ends."""

    def __init__(self, path: Path, channel: Channel, request: Mapping[str, Any]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(path))
            socket.send_fds(self._socket, [_encoded(request)], [channel.reader, channel.writer])
        except OSError as error:
            self._socket.close()
            raise UnreachableError(f"The mover at {path} does not answer: {error.strerror}") from error
        self._input = b""
        try:
            self._result(_ignore)
        except GridError:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any], progress: Callable[[Progress], None]) -> Any:
        """The answer to a request."""
        try:
            self._socket.sendall(_encoded(request))
        except OSError as error:
            raise UnreachableError("The session with the mover has ended.") from error
        return self._result(progress)

    def wait(self) -> None:
        """Return when the mover has ended the connection, or was killed."""
        with suppress(UnreachableError), self._socket:
            while True:
                self._line()

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _result(self, progress: Callable[[Progress], None]) -> Any:
        while True:
            answer = self._answer()
            if "progress" in answer:
                progress(from_data(Progress, answer["progress"]))
            elif "error" in answer:
                raise _error(answer)
            else:
                return answer["result"]

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> bytes:
        while b"\n" not in self._input:
            try:
                received = self._socket.recv(_RECEIVE_BYTES)
            except OSError as error:
                raise UnreachableError("The session with the mover was closed.") from error
            if not received:
                raise UnreachableError("The mover ended, or the session was closed.")
            self._input += received
        line, _, self._input = self._input.partition(b"\n")
        return line


def _encoded(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data).encode() + b"\n"


def _error(answer: Mapping[str, Any]) -> GridError:
    kind = UnreachableError if answer["error"] == UnreachableError.__name__ else CopyError
    return kind(str(answer["text"]))


def _ignore(progress: Progress) -> None:
    """Nobody asked for progress."""
