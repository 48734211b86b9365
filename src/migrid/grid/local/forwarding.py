"""The seam to what lets an old address go on answering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..errors import EngineError
from ..sides import Forward


class Forwarder(Protocol):
    """Something that sends on what comes in at ports of this grid, through restarts of the engine. Every method is
    idempotent and raises EngineError."""

    def forwards(self, app: str) -> tuple[Forward, ...]:
        """What is forwarded for an application that moved away."""

    def start(self, app: str, forwards: Sequence[Forward]) -> None:
        """Forward these, in place of what was forwarded before."""

    def end(self, app: str) -> None: ...


class NoForwarder:
    """For a grid that cannot forward."""

    def forwards(self, app: str) -> tuple[Forward, ...]:  # noqa: ARG002
        return ()

    def start(self, app: str, forwards: Sequence[Forward]) -> None:
        if forwards:
            raise EngineError(f"This grid cannot forward the ports of {app}.")

    def end(self, app: str) -> None: ...
