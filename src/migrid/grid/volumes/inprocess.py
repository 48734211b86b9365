"""A mover without a process of its own: the sender is a thread here, the receiver works in the thread that asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from .client import Channel, Session
from .look import Looking
from .receiver import Receiver
from .sender import serve
from .state import State
from .trees import Trees
from .wire import Wire


class InProcessMover:
    """Moves trees that this process reaches, by name. The channel's descriptors stay the caller's. `places` has a
    directory for the snapshots of each tree that is a subvolume."""

    def __init__(self, trees: Mapping[str, Path], places: Path | None = None) -> None:
        self._trees, self._places = dict(trees), places

    def send(self, channel: Channel) -> Callable[[], None]:
        looking = Looking(self._trees, self._places)
        wire = Wire(channel.reader, channel.writer)
        sender = threading.Thread(target=_send, args=(looking, wire), name="sender of volumes", daemon=True)
        sender.start()
        return sender.join

    def receive(self, channel: Channel, state: Path) -> Session:
        return Receiver(Trees(self._trees), Wire(channel.reader, channel.writer), State(state))


def _send(looking: Looking, wire: Wire) -> None:
    try:
        serve(looking, wire)
    finally:
        wire.close()
        looking.close()
