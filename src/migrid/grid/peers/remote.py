"""The source grid of a move, asked over SSH from the target grid."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import names, records
from ..application import Application, HookPoint
from ..errors import RefusedError, UnreachableError
from ..sides import Facts, Forward, Lock
from ..volumes.client import Channel
from . import wire
from .channels import Way, open_channel

_PROBE_READ = 1 << 20


class RemoteSource:
    """A `sides.Source` behind the gate of another grid.

    Verbs share connections, as many as there are threads that ask at the same time. A verb whose connection broke is
    asked once more on a new one; then it raises UnreachableError, and trying again later may help.
    """

    def __init__(self, way: Way) -> None:
        self._way = way
        self._idle: list[_Verbs] = []
        self._changing = threading.Lock()

    def close(self) -> None:
        """Close all connections for verbs; the next verb opens a new one."""
        while connection := self._take():
            connection.close()

    def probe(self, seconds: float = 1.0) -> float:
        """How many bytes a second come from there, measured for so long."""
        channel = open_channel(self._way, "probe")
        try:
            return _rate(channel.reader, seconds)
        finally:
            channel.close()

    def facts(self) -> Facts:
        facts: Facts = self._ask("facts")
        return facts

    def describe(self, app: str) -> Application:
        application: Application = self._ask("describe", app=app)
        return application

    def owner(self, app: str) -> str:
        owner: str = self._ask("owner", app=app)
        return owner

    def reaches(self, grid: str) -> str:
        reason: str = self._ask("reaches", grid=grid)
        return reason

    def lock(self, lock: Lock) -> None:
        self._ask("lock", lock=lock)

    def seconds(self, app: str) -> Mapping[str, float]:
        seconds: Mapping[str, float] = self._ask("seconds", app=app)
        return seconds

    def images(self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str]) -> Channel:
        channel = self._open("images", app, move)
        wanted = wire.ImagesWanted(tuple(images), known_layers)
        try:
            _write(channel.writer, wire.line(records.to_data(wanted)))
        except OSError as error:
            channel.close()
            raise UnreachableError(f"{self._way.place}: the connection broke.") from error
        return channel

    def trees(self, app: str, move: str) -> Channel:
        return self._open("trees", app, move)

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None:
        self._ask("run_hooks", app=app, move=move, point=point, environment=environment)

    def stop(self, app: str, move: str, timeout: float | None, lease: float) -> None:
        self._ask("stop", app=app, move=move, timeout=timeout, lease=lease)

    def keep(self, app: str, move: str, lease: float) -> None:
        self._ask("keep", app=app, move=move, lease=lease)

    def release(self, app: str, move: str) -> None:
        self._ask("release", app=app, move=move)

    def resume(self, app: str, move: str) -> None:
        self._ask("resume", app=app, move=move)

    def forward(self, app: str, move: str, forwards: Sequence[Forward]) -> None:
        self._ask("forward", app=app, move=move, forwards=forwards)

    def destroy(self, app: str, move: str, target_grid: str, target_app: str) -> None:
        self._ask("destroy", app=app, move=move, target_grid=target_grid, target_app=target_app)

    def finish(self, app: str, move: str) -> None:
        self._ask("finish", app=app, move=move)

    def _open(self, word: str, app: str, move: str) -> Channel:
        return open_channel(self._way, f"{word} {names.application(app)} {names.move(move)}")

    def _ask(self, verb: str, **arguments: Any) -> Any:
        line = wire.request(verb, arguments)
        try:
            return self._exchange(self._take() or _Verbs(self._way), verb, line)
        except UnreachableError:
            self.close()
            return self._exchange(_Verbs(self._way), verb, line)

    def _exchange(self, connection: _Verbs, verb: str, line: bytes) -> Any:
        try:
            answer = connection.exchange(line)
        except BaseException:
            connection.close()
            raise
        with self._changing:
            self._idle.append(connection)
        return wire.read_answer(verb, answer)

    def _take(self) -> _Verbs | None:
        with self._changing:
            return self._idle.pop() if self._idle else None


class _Verbs:
    """One connection for verbs, used by one thread at a time."""

    def __init__(self, way: Way) -> None:
        self._place = way.place
        self._channel = open_channel(way, "verbs")
        self._answers = os.fdopen(os.dup(self._channel.reader), "rb")

    def exchange(self, line: bytes) -> bytes:
        """Send a line and wait for the answer. Raises UnreachableError when the connection breaks before it is here."""
        try:
            _write(self._channel.writer, line)
            answer = self._answers.readline(wire.ANSWER_BYTES)
        except OSError as error:
            raise UnreachableError(f"{self._place}: the connection broke.") from error
        if answer.endswith(b"\n"):
            return answer
        if len(answer) == wire.ANSWER_BYTES:
            raise RefusedError(f"{self._place} gave an answer of more than {wire.ANSWER_BYTES >> 20} MiB.")
        raise UnreachableError(f"{self._place}: the connection broke.")

    def close(self) -> None:
        self._answers.close()
        self._channel.close()


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _rate(reader: int, seconds: float) -> float:
    """Bytes a second from the first byte on; the pipe's content at that moment does not count."""
    if not os.read(reader, _PROBE_READ):
        return 0.0
    start, count = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds:
        content = os.read(reader, _PROBE_READ)
        if not content:
            break
        count += len(content)
    return count / max(elapsed, time.monotonic() - start, 1e-3)
