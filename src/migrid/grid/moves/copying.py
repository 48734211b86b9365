"""The copying of a move: one session with the source's sender, opened anew when it broke."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..errors import GridError
from ..volumes.client import Channel, Round, Session, Survey, Verification
from .meter import Meter
from .run import Run

Answer = TypeVar("Answer")


class Copying:
    """Rounds and verifications, each asked again on a new session while the source is away."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._session: Session | None = None
        self._channel: Channel | None = None

    def survey(self) -> Survey:
        return self._ask(lambda session, _: session.survey())

    def round(self, final: bool) -> Round:
        limit = self._run.request.bandwidth_limit
        return self._ask(lambda session, meter: session.round(final, limit, meter.show))

    def verify(self) -> Verification:
        return self._ask(lambda session, meter: session.verify(meter.show))

    def close(self) -> None:
        """End the session; the next round opens another."""
        session, channel, self._session, self._channel = self._session, self._channel, None, None
        with suppress(GridError, OSError):
            if session:
                session.close()
        with suppress(OSError):
            if channel:
                channel.close()

    def _ask(self, question: Callable[[Session, Meter], Answer]) -> Answer:
        return self._run.at_both.ask(self._once, question)

    def _once(self, question: Callable[[Session, Meter], Answer]) -> Answer:
        meter = Meter(self._run)
        try:
            answer = question(self._open(), meter)
            meter.end()
            return answer
        except BaseException:
            self.close()
            raise

    def _open(self) -> Session:
        if self._session is None:
            run = self._run
            self._session = run.target.receive(run.target_app, run.move, self._open_channel)
        return self._session

    def _open_channel(self) -> Channel:
        self._channel = channel = self._run.source.trees(self._run.app, self._run.move)
        return channel
