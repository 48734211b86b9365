"""What a move sees of the copying: a mover beside the trees of each grid, and the session between the two.

The receiver leads: it says what it has, asks for a round, writes what comes, and reads back what it wrote. The sender
only answers, so that the side that may be cut off needs no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Channel:
    """A byte stream to the other grid, as two file descriptors of this process. `close` is called by its owner."""

    reader: int
    writer: int
    close: Callable[[], None]


@dataclass(frozen=True)
class Survey:
    """What there is to copy. Bytes are allocated ones; `recent_bytes` are in files changed in the last ten minutes."""

    files: int
    bytes: int
    recent_bytes: int


@dataclass(frozen=True)
class Progress:
    """How far a round or a verification is. `total_bytes` is None until it is known."""

    bytes: int
    total_bytes: int | None
    files: int


@dataclass(frozen=True)
class Round:
    """What one round did. Seconds are wall clock; `bytes` crossed the wire; `changed_bytes` are the content in it.

    `manifest` is the digest of the source's manifest, and only a final round's describes one moment.
    """

    final: bool
    files: int
    bytes: int
    changed_bytes: int
    examined_bytes: int
    seconds: float
    manifest: str


@dataclass(frozen=True)
class Verification:
    """The proof of a copy: the digest of the manifest of what the target really has, and how much was read for it."""

    manifest: str
    files: int
    bytes_read: int
    seconds: float


class Session(Protocol):
    """One connection between a receiver here and a sender there. Every method raises CopyError when the copy is not
    possible, and UnreachableError when the connection broke; a new session then goes on from what arrived."""

    def survey(self) -> Survey:
        """Ask the sender what there is."""

    def round(self, final: bool, bandwidth_limit: int | None, progress: Callable[[Progress], None]) -> Round:
        """Copy what changed since the last round; everything in the first. `bandwidth_limit` in bytes a second.

        A final round is asked for when nothing writes to the source any more; it leaves the target's trees equal to it.
        """

    def verify(self, progress: Callable[[Progress], None]) -> Verification:
        """Read back what was written since the last verification, and compare it with what was sent.

        Raises CopyError with the names of the first files that differ. What is found to differ is sent again by the
        next round.
        """

    def close(self) -> None:
        """End the session; what arrived stays known."""


class Mover(Protocol):
    """A process beside the trees of one grid."""

    def send(self, channel: Channel) -> Callable[[], None]:
        """Serve the sender's side on the channel until the other end closes it. Returns at once, with what waits until
        this sender has ended, for whatever reason."""

    def receive(self, channel: Channel, state: Path) -> Session:
        """Lead from the receiver's side. What has arrived is remembered in the directory `state`, durably."""
