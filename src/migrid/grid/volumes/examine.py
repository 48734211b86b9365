"""How a sender reads files: each chunk is hashed as it is read, compared with what the receiver has, and the blocks
that differ are kept from the same buffer. So what is sent is what was hashed, and nothing is read twice.

Threads suffice: reading leaves the interpreter to others, and a hash takes less time than the copy to user space.
"""

from __future__ import annotations

import os
import queue
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from .blocks import CHUNK, Content, Difference, Map, all_blocks, block_range, compare, hash_blocks, runs
from .trees import chunk_length, chunks_with_data

THREADS = max(2, min(os.cpu_count() or 1, 8))
_AHEAD = THREADS + 2
_READ_BYTES = 256 << 10


class Piece(NamedTuple):
    """A chunk as it was read. `parts` are its literal blocks; `release` is called when they have been sent."""

    number: int
    length: int
    hashes: list[bytes]
    difference: Difference
    parts: list[Content]
    release: Callable[[], None]


class Examiner:
    """Reads chunks in threads, some ahead of what is asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="examiner")
        self._buffers: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(_AHEAD + THREADS + 1):
            self._buffers.put(bytearray(CHUNK))

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def pieces(
        self, descriptor: int, size: int, known: Map | None, only: Collection[int] | None = None
    ) -> Iterator[Piece]:
        """The chunks of a file that are not holes, in order. `known` is None for a file that is built from nothing;
        `only` are the chunks that may differ from it, None for all. Each piece has to be released before too many
        others are asked for. Raises OSError."""
        chunks = chunks_with_data(descriptor, size, only)
        if size <= CHUNK:
            yield from (self._examine(descriptor, number, size, bits, known) for number, bits in chunks)
            return
        ahead: deque[Future[Piece]] = deque()
        try:
            for number, bits in chunks:
                ahead.append(self._pool.submit(self._examine, descriptor, number, size, bits, known))
                if len(ahead) > _AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            self._abandon(ahead)

    @staticmethod
    def _abandon(ahead: deque[Future[Piece]]) -> None:
        for future in ahead:
            if not future.cancel() and future.exception() is None:
                future.result().release()

    def _examine(self, descriptor: int, number: int, size: int, data: int, known: Map | None) -> Piece:
        buffer = self._buffers.get()
        try:
            length = _read(descriptor, buffer, number * CHUNK, chunk_length(number, size))
        except OSError:
            self._buffers.put(buffer)
            raise
        view = memoryview(buffer)[:length]
        hashes = hash_blocks(view)
        difference = compare(hashes, length, data, None if known is None else known.get(number), known is None)
        if difference.literal == all_blocks(length):
            return Piece(number, length, hashes, difference, [view], lambda: self._buffers.put(buffer))
        parts: list[Content] = [bytes(view[slice(*block_range(*run, length))]) for run in runs(difference.literal)]
        self._buffers.put(buffer)
        return Piece(number, length, hashes, difference, parts, _nothing)


def _read(descriptor: int, buffer: bytearray, offset: int, length: int) -> int:
    """Read up to `length` bytes; fewer at the end of the file. In portions that stay in a processor's cache."""
    view, done = memoryview(buffer), 0
    while done < length:
        count = os.preadv(descriptor, [view[done : min(done + _READ_BYTES, length)]], offset + done)
        if count == 0:
            break
        done += count
    return done


def _nothing() -> None:
    """There is nothing to release."""
