"""A move as server-sent events (HTML Living Standard, section 9.2).

Each event holds all there is to show, so that a browser may miss some: `timeline` is HTML, `status` and `log` are text.
`way` leads into the monitor of the move, if it has one.
The log is left out as long as it is the one that the browser has; the id of an event says which one that is.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...grid.errors import GridError
from ...grid.owners.service import Moved
from .showing import Moves
from .timeline import shown

SECONDS = 60.0
WAIT = 10.0
RETRY_MILLISECONDS = 2000
LOG_LINES = 400


class Drawing(NamedTuple):
    """What makes HTML of a move as it is `shown`, and a way into its monitor out of where that answers."""

    timeline: Callable[..., str]
    way: Callable[[str], str]


class Known(NamedTuple):
    """What a browser has: the time of the news, and a checksum of the log."""

    since: float = 0.0
    log: int = 0

    def __str__(self) -> str:
        return f"{self.since!r}/{self.log}"


def stream(migration: Moves, found: Moved, draw: Drawing, last_id: str) -> Iterator[str]:
    """The events of a move after the one with this id."""
    asked, known = found.request, _read(last_id)
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            news = migration.news(asked.target_grid, found.move, known.since, WAIT)
            log = tail(migration.log(asked.target_grid, found.move))
        except GridError as error:
            yield _event("silent", {"status": str(error)}, None)
            return
        now, checksum = shown(asked, news), zlib.crc32(log.encode(errors="replace"))
        data = {
            "status": now.status,
            "timeline": draw.timeline(now=now),
            "may_cancel": now.may_cancel,
            "way": draw.way(now.monitor),
        }
        if checksum != known.log:
            data["log"] = log
        known = Known(news.since, checksum)
        yield _event("over" if news.finished else "news", data, known)
        if news.finished:
            return


def tail(log: str) -> str:
    """The end of a log."""
    return "\n".join(log.splitlines()[-LOG_LINES:])


def _event(kind: str, data: dict[str, object], known: Known | None) -> str:
    name = f"id: {known}\n" if known else ""
    return f"event: {kind}\n{name}data: {json.dumps(data)}\n\n"


def _read(last_id: str) -> Known:
    """What an id says; anything that is none of ours is as good as none."""
    since, _, log = last_id.partition("/")
    try:
        return Known(min(max(float(since), 0.0), time.time()), int(log)) if len(last_id) < 64 else Known()
    except ValueError:
        return Known()
