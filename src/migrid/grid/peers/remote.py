"""The source grid of a move, asked over SSH from the target grid."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from .. import names, records
from ..application import Application, HookPoint
from ..errors import UnreachableError
from ..sides import Facts, Forward, Lock
from ..volumes.client import Channel
from . import wire
from .channels import Way, open_channel, write_all
from .connections import Connections

_PROBE_READ = 1 << 20


class RemoteSource:
    """A `sides.Source` behind the gate of another grid."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._verbs = Connections(way, wire.VERBS)

    def close(self) -> None:
        """Close all connections for verbs; the next verb opens a new one."""
        self._verbs.close()

    def probe(self, seconds: float = 1.0) -> float:
        """How many bytes a second come from there, measured for so long."""
        channel = open_channel(self._way, "probe")
        try:
            return _rate(channel.reader, seconds)
        finally:
            channel.close()

    def facts(self) -> Facts:
        facts: Facts = self._verbs.ask("facts")
        return facts

    def describe(self, app: str) -> Application:
        application: Application = self._verbs.ask("describe", app=app)
        return application

    def owner(self, app: str) -> str:
        owner: str = self._verbs.ask("owner", app=app)
        return owner

    def reaches(self, grid: str) -> str:
        reason: str = self._verbs.ask("reaches", grid=grid)
        return reason

    def lock(self, lock: Lock) -> None:
        self._verbs.ask("lock", lock=lock)

    def seconds(self, app: str) -> Mapping[str, float]:
        seconds: Mapping[str, float] = self._verbs.ask("seconds", app=app)
        return seconds

    def images(self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str]) -> Channel:
        channel = self._open("images", app, move)
        wanted = wire.ImagesWanted(tuple(images), known_layers)
        try:
            write_all(channel.writer, wire.line(records.to_data(wanted)))
        except OSError as error:
            channel.close()
            raise UnreachableError(f"{self._way.place}: the connection broke.") from error
        return channel

    def trees(self, app: str, move: str) -> Channel:
        return self._open("trees", app, move)

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None:
        self._verbs.ask("run_hooks", app=app, move=move, point=point, environment=environment)

    def stop(self, app: str, move: str, timeout: float | None, lease: float) -> None:
        self._verbs.ask("stop", app=app, move=move, timeout=timeout, lease=lease)

    def keep(self, app: str, move: str, lease: float) -> None:
        self._verbs.ask("keep", app=app, move=move, lease=lease)

    def release(self, app: str, move: str) -> None:
        self._verbs.ask("release", app=app, move=move)

    def resume(self, app: str, move: str) -> None:
        self._verbs.ask("resume", app=app, move=move)

    def forward(self, app: str, move: str, forwards: Sequence[Forward]) -> None:
        self._verbs.ask("forward", app=app, move=move, forwards=forwards)

    def forward_page(self, app: str, move: str, address: str, port: int) -> None:
        self._verbs.ask("forward_page", app=app, move=move, address=address, port=port)

    def destroy(self, app: str, move: str, target_grid: str, target_app: str) -> None:
        self._verbs.ask("destroy", app=app, move=move, target_grid=target_grid, target_app=target_app)

    def finish(self, app: str, move: str) -> None:
        self._verbs.ask("finish", app=app, move=move)

    def _open(self, word: str, app: str, move: str) -> Channel:
        return open_channel(self._way, f"{word} {names.application(app)} {names.move(move)}")


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
