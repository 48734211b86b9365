"""Streams that say what passes through them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 256 << 10


def metered(descriptor: int, let_pass: Callable[[int], None]) -> BinaryIO:
    """What can be read from the descriptor, which is closed with the stream."""
    return cast(BinaryIO, io.BufferedReader(_Metered(descriptor, let_pass), _PIECE))


class _Metered(io.RawIOBase):
    """Tells how much was read, each time."""

    def __init__(self, descriptor: int, let_pass: Callable[[int], None]) -> None:
        self._file = io.FileIO(descriptor)
        self._let_pass = let_pass

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        size = self._file.readinto(buffer) or 0
        self._let_pass(size)
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
