"""The process beside the trees of a grid: `python3 -m migrid.grid.volumes.mover --socket PATH`, PID 1 of its container.

Every directory in /trees is a tree. Where a tree is a subvolume of btrfs, the directory of its name in /snapshots is
where snapshots of it are made, when there is one, writable and on the same file system.

Each connection to the socket, as `control` describes it, is served by a process of its own, so that a sender or
receiver that is killed takes nothing with it. SIGTERM ends them all, and snapshots with them.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import GridError
from ..records import to_data
from .client import Progress
from .look import Looking
from .receiver import Receiver
from .sender import serve
from .state import State
from .trees import Trees
from .wire import Wire

_LONGEST_REQUEST = 1 << 16
_CHANNEL_DESCRIPTORS = 2


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Takes connections. Only root reaches the socket."""

    max_children = 1000

    def __init__(self, path: Path, trees: Path, places: Path) -> None:
        self.trees, self.places = trees, places
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Handler)
        finally:
            os.umask(before)

    def end(self) -> None:
        """End all senders and receivers, and wait until they have."""
        for child in self.active_children or ():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        self.server_close()


class _Handler(socketserver.BaseRequestHandler):
    """One connection, in a process of its own."""

    request: socket.socket
    server: _Server

    def handle(self) -> None:
        try:
            request, descriptors = self._first()
            wire = Wire(*descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            self._serve(request, wire)
        except (GridError, OSError, ValueError, KeyError) as error:
            self._answer(_error(error))

    def _first(self) -> tuple[Mapping[str, Any], list[int]]:
        """The first request, with the descriptors of the channel."""
        line, descriptors, _, _ = socket.recv_fds(self.request, _LONGEST_REQUEST, _CHANNEL_DESCRIPTORS)
        if len(descriptors) != _CHANNEL_DESCRIPTORS or not line.endswith(b"\n"):
            raise ValueError("the first line has to come at once, with the two descriptors of the channel")
        request: Mapping[str, Any] = json.loads(line)
        return request, descriptors

    def _serve(self, request: Mapping[str, Any], wire: Wire) -> None:
        trees = {path.name: path for path in self.server.trees.iterdir() if path.is_dir()}
        if request["verb"] == "send":
            self._send(Looking(trees, self.server.places), wire)
        elif request["verb"] == "receive":
            self._receive(Receiver(Trees(trees), wire, State(Path(request["state"]))))
        else:
            raise ValueError(f"{request['verb']!r} is not what a mover does")

    def _send(self, looking: Looking, wire: Wire) -> None:
        self._answer({"result": None})
        try:
            serve(looking, wire)
        finally:
            looking.close()

    def _receive(self, receiver: Receiver) -> None:
        self._answer({"result": None})
        requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        with self.request.makefile("rb") as lines:
            threading.Thread(target=_read, args=(lines, requests, receiver), daemon=True).start()
            while line := requests.get():
                self._answer(self._answered(receiver, json.loads(line)))

    def _answered(self, receiver: Receiver, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return {"result": to_data(self._carried_out(receiver, request))}
        except GridError as error:
            return _error(error)

    def _carried_out(self, receiver: Receiver, request: Mapping[str, Any]) -> object:
        if request["verb"] == "survey":
            return receiver.survey()
        if request["verb"] == "round":
            return receiver.round(bool(request["final"]), request["bandwidth_limit"], self._tell)
        return receiver.verify(self._tell)

    def _tell(self, progress: Progress) -> None:
        self._answer({"progress": to_data(progress)})

    def _answer(self, answer: Mapping[str, Any]) -> None:
        with suppress(OSError):
            self.request.sendall(json.dumps(answer).encode() + b"\n")


def _read(lines: BinaryIO, requests: queue.SimpleQueue[bytes], receiver: Receiver) -> None:
    """Take requests, also while one is carried out: that they end means that nobody wants the answer."""
    with suppress(OSError):
        for line in lines:
            requests.put(line)
    receiver.close()
    requests.put(b"")


def _error(error: Exception) -> Mapping[str, Any]:
    return {"error": type(error).__name__, "text": str(error)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="mover", description="Send and receive the trees of a grid.")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--trees", type=Path, default=Path("/trees"), help="the directory whose directories are trees")
    parser.add_argument("--snapshots", type=Path, default=Path("/snapshots"), help="the directory for their snapshots")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = _Server(options.socket, options.trees, options.snapshots)
    try:
        server.serve_forever()
    finally:
        server.end()


if __name__ == "__main__":
    main()
