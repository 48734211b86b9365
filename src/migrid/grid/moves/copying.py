"""The copying of a move: one session with the source's sender, opened anew when it broke."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ..errors import GridError
from ..volumes.client import Channel, Progress, Round, Session, Survey, Verification
from .progress import NOTHING_COPIED
from .run import Run

Answer = TypeVar("Answer")


class Copying:
    """Rounds and verifications, each asked again on a new session while the source is away."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._session: Session | None = None
        self._channel: Channel | None = None
        self._began = 0.0

    def survey(self) -> Survey:
        return self._ask(lambda session: session.survey())

    def round(self, final: bool) -> Round:
        limit = self._run.request.bandwidth_limit
        return self._ask(lambda session: session.round(final, limit, self._progress))

    def verify(self) -> Verification:
        return self._ask(lambda session: session.verify(self._progress))

    def close(self) -> None:
        """End the session; the next round opens another."""
        session, channel, self._session, self._channel = self._session, self._channel, None, None
        with suppress(GridError, OSError):
            if session:
                session.close()
        with suppress(OSError):
            if channel:
                channel.close()

    def _ask(self, question: Callable[[Session], Answer]) -> Answer:
        return self._run.at_both.ask(self._once, question)

    def _once(self, question: Callable[[Session], Answer]) -> Answer:
        self._began = self._run.clock.time()
        try:
            answer = question(self._open())
            self._run.progress.update(**NOTHING_COPIED)
            return answer
        except BaseException:
            self.close()
            raise

    def _open(self) -> Session:
        if self._session is None:
            run = self._run
            self._channel = run.source.trees(run.app, run.move)
            self._session = run.at_target.ask(run.target.receive, run.target_app, run.move, self._channel)
        return self._session

    def _progress(self, now: Progress) -> None:
        run = self._run
        passed = run.clock.time() - self._began
        rate = now.bytes / passed if passed > 0 else 0.0
        known = now.total_bytes is not None and rate > 0 and passed > 1.0
        left = max((now.total_bytes or 0) - now.bytes, 0) / rate if known else None
        predicted = run.progress.now.predicted_downtime_seconds
        told = run.progress.update_sometimes(
            bytes=now.bytes,
            total_bytes=now.total_bytes,
            files=now.files,
            rate=rate,
            eta_seconds=None if left is None else left + (predicted or 0.0),
            waiting_for="",
        )
        if told:
            run.check()
