"""The seam to what keeps users away from an application that has arrived and is not healthy yet: what it acknowledged
to them would be lost if the move was turned back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..application import Port


class Hold(Protocol):
    """Something that lets nobody in at ports of this grid, through restarts of the engine. Every method is idempotent
    and raises EngineError."""

    def check(self, app: str, ports: Sequence[Port]) -> None:
        """Whether `put` can do it; changes nothing."""

    def put(self, app: str, ports: Sequence[Port]) -> None:
        """Refuse whoever comes to these, in place of what was refused before."""

    def end(self, app: str) -> None: ...


class NoHold:
    """For a grid whose applications have no ports."""

    def check(self, app: str, ports: Sequence[Port]) -> None: ...

    def put(self, app: str, ports: Sequence[Port]) -> None: ...

    def end(self, app: str) -> None: ...
