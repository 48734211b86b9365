"""The movers of a model engine: real copies within this process, which can die and run out of space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from ..errors import CopyError, UnreachableError
from ..volumes.client import Channel, Progress, Round, Session, Survey, Verification
from ..volumes.inprocess import InProcessMover


class Space(Protocol):
    """How many bytes may still come, None for any number."""

    space: int | None


class ModelMover:
    """A mover in this process."""

    def __init__(self, trees: Mapping[str, Path], space: Space) -> None:
        self.dead = False
        self.era = 0
        self._mover = InProcessMover(trees)
        self._space = space

    def hang_up(self) -> None:
        """Let all connections of now break."""
        self.era += 1

    def die(self) -> None:
        """End like a process that is killed."""
        self.dead = True
        self.hang_up()

    def send(self, channel: Channel) -> Callable[[], None]:
        return self._mover.send(channel)

    def receive(self, channel: Channel, state: Path) -> Session:
        return ModelSession(self._mover.receive(channel, state), self, self._space)


class ModelSession:
    """A session that ends when its mover dies, or its connection."""

    def __init__(self, session: Session, mover: ModelMover, space: Space) -> None:
        self._session = session
        self._mover = mover
        self._space = space
        self._era = mover.era

    def survey(self) -> Survey:
        self._refuse_broken()
        return self._session.survey()

    def round(self, final: bool, bandwidth_limit: int | None, progress: Callable[[Progress], None]) -> Round:
        self._refuse_broken()
        done = self._session.round(final, bandwidth_limit, progress)
        space = self._space.space
        if space is not None and done.bytes > space:
            raise CopyError("[Errno 28] No space left on device")
        self._refuse_broken()
        return done

    def verify(self, progress: Callable[[Progress], None]) -> Verification:
        self._refuse_broken()
        return self._session.verify(progress)

    def close(self) -> None:
        self._session.close()

    def _refuse_broken(self) -> None:
        if self._mover.era != self._era:
            self._session.close()
            raise UnreachableError("The connection between the movers broke.")
