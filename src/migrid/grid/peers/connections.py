"""Connections to a gate over which verbs are asked."""

from __future__ import annotations

import os
import threading
from typing import Any

from ..errors import RefusedError, UnreachableError
from . import wire
from .channels import Way, open_channel, write_all


class Connections:
    """As many connections as there are threads that ask at the same time.

    A verb whose connection broke is asked once more on a new one. Where none can be opened UnreachableError is raised,
    and trying again later may help.
    """

    def __init__(self, way: Way, verbs: wire.Verbs) -> None:
        self._way = way
        self._verbs = verbs
        self._idle: list[_Connection] = []
        self._changing = threading.Lock()

    def ask(self, verb: str, **arguments: Any) -> Any:
        """What the verb gives. Raises the error that it raised there, RefusedError, UnreachableError."""
        line = wire.request(verb, arguments)
        connection = self._take() or _Connection(self._way)
        try:
            return self._exchange(connection, verb, line)
        except UnreachableError:
            self.close()
            return self._exchange(_Connection(self._way), verb, line)

    def close(self) -> None:
        """Close all connections that nobody uses; the next verb opens a new one."""
        while connection := self._take():
            connection.close()

    def _exchange(self, connection: _Connection, verb: str, line: bytes) -> Any:
        try:
            answer = connection.exchange(line)
        except BaseException:
            connection.close()
            raise
        with self._changing:
            self._idle.append(connection)
        return wire.read_answer(verb, answer, self._verbs)

    def _take(self) -> _Connection | None:
        with self._changing:
            return self._idle.pop() if self._idle else None


class _Connection:
    """One connection, used by one thread at a time."""

    def __init__(self, way: Way) -> None:
        self._place = way.place
        self._channel = open_channel(way, "verbs")
        self._answers = os.fdopen(os.dup(self._channel.reader), "rb")

    def exchange(self, line: bytes) -> bytes:
        """Send a line and wait for the answer. Raises UnreachableError when the connection breaks before it is here."""
        try:
            write_all(self._channel.writer, line)
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
