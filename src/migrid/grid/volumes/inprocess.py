"""A mover without a process of its own: the sender is a thread here, the receiver works in the thread that asks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from .client import Channel, Session
from .receiver import Receiver
from .sender import serve
from .state import State
from .trees import Trees
from .wire import Wire


class InProcessMover:
    """Moves trees that this process reaches, by name. The channel's descriptors stay the caller's."""

    def __init__(self, trees: Mapping[str, Path]) -> None:
        self._trees = dict(trees)

    def send(self, channel: Channel) -> Callable[[], None]:
        trees, wire = Trees(self._trees), Wire(channel.reader, channel.writer)
        sender = threading.Thread(target=_send, args=(trees, wire), name="sender of volumes", daemon=True)
        sender.start()
        return sender.join

    def receive(self, channel: Channel, state: Path) -> Session:
        return Receiver(Trees(self._trees), Wire(channel.reader, channel.writer), State(state))


def _send(trees: Trees, wire: Wire) -> None:
    try:
        serve(trees, wire)
    finally:
        wire.close()
        trees.close()
