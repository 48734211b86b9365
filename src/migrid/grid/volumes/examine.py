"""How a sender reads files: each chunk is hashed as it is read, compared with what the receiver has, and the blocks
that differ are kept from the same buffer. So what is sent is what was hashed, and nothing is read twice.

Threads suffice: reading leaves the interpreter to others, and a hash takes less time than the copy to user space.
"""

from __future__ import annotations

import os
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from .blocks import (
    CHUNK,
    Content,
    Difference,
    Map,
    all_blocks,
    block_range,
    compare,
    hash_blocks,
    runs,
    split,
    zero_hashes,
)
from .trees import chunk_length, chunks_with_data

THREADS = 8  # more than there may be processors: they wait for devices, which like to be asked for much at once
_AHEAD = THREADS + 2
_READ_BYTES = 256 << 10
_WHOLE_CHUNKS = 2
_PART_CHUNKS = 32


class Piece(NamedTuple):
    """A chunk as it was read, `examined` bytes of it. `parts` are its literal blocks; `release` is called when they
    have been sent."""

    number: int
    length: int
    examined: int
    hashes: list[bytes]
    difference: Difference
    parts: list[Content]
    release: Callable[[], None]


class Reading(NamedTuple):
    """A file to examine. `known` is None if it is built from nothing; `only` are the blocks of chunks, as bits, that
    may differ from it, None for all."""

    descriptor: int
    size: int
    known: Map | None
    only: Mapping[int, int] | None = None


class Examiner:
    """Reads chunks in threads, some ahead of what is asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="examiner")
        self._buffers: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range((_AHEAD + 2) * _WHOLE_CHUNKS + THREADS):
            self._buffers.put(bytearray(CHUNK))

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def pieces(self, reading: Reading) -> Iterator[Piece]:
        """The chunks of a file that are not holes, in order. Each piece has to be released before too many others are
        asked for. Raises OSError."""
        chunks = chunks_with_data(reading.descriptor, reading.size, reading.only)
        if reading.size <= CHUNK:
            return (self._examine(reading, number, bits) for number, bits in chunks)
        return self._in_threads(reading, chunks)

    def _in_threads(self, reading: Reading, chunks: Iterator[tuple[int, int]]) -> Iterator[Piece]:
        ahead: deque[Future[list[Piece]]] = deque()
        try:
            while batch := _batch(reading, chunks):
                ahead.append(self._pool.submit(self._examine_all, reading, batch))
                if len(ahead) > _AHEAD:
                    yield from ahead.popleft().result()
            while ahead:
                yield from ahead.popleft().result()
        finally:
            self._abandon(ahead)

    @staticmethod
    def _abandon(ahead: deque[Future[list[Piece]]]) -> None:
        for future in ahead:
            if not future.cancel() and future.exception() is None:
                for piece in future.result():
                    piece.release()

    def _examine_all(self, reading: Reading, chunks: list[tuple[int, int]]) -> list[Piece]:
        _announce(reading, chunks)
        return [self._examine(reading, number, data) for number, data in chunks]

    def _examine(self, reading: Reading, number: int, data: int) -> Piece:
        buffer = self._buffers.get()
        try:
            piece = _examine(reading, number, data, memoryview(buffer))
        except OSError:
            self._buffers.put(buffer)
            raise
        if reading.only is None and piece.difference.literal == all_blocks(piece.length):
            return piece._replace(release=lambda: self._buffers.put(buffer))
        piece = piece._replace(parts=[bytes(part) for part in piece.parts])
        self._buffers.put(buffer)
        return piece


def _announce(reading: Reading, chunks: Iterable[tuple[int, int]]) -> None:
    """Let the kernel fetch all of the scattered blocks at once."""
    if reading.only is None:
        return
    for number, _ in chunks:
        length = chunk_length(number, reading.size)
        for run in runs(reading.only[number] & all_blocks(length)):
            begin, end = block_range(*run, length)
            os.posix_fadvise(reading.descriptor, number * CHUNK + begin, end - begin, os.POSIX_FADV_WILLNEED)


def _batch(reading: Reading, chunks: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Some chunks, which one thread examines in one go. Whole ones keep their buffers until they are sent, so of these
    there are so few that buffers are always left."""
    return list(islice(chunks, _WHOLE_CHUNKS if reading.only is None else _PART_CHUNKS))


def _examine(reading: Reading, number: int, data: int, buffer: memoryview) -> Piece:
    """Read and compare a chunk; what differs stays in the buffer."""
    length = chunk_length(number, reading.size)
    old = None if reading.known is None else reading.known.get(number)
    only = all_blocks(length) if reading.only is None else reading.only[number] & all_blocks(length)
    if only == all_blocks(length):
        length = examined = _read(reading.descriptor, buffer, number * CHUNK, length)
        hashes = hash_blocks(buffer[:length])
    else:
        hashes = zero_hashes(length) if old is None else split(old)
        examined = _read_some(reading.descriptor, buffer, number * CHUNK, (length, only), hashes)
    difference = compare(hashes, length, data, old, reading.known is None)
    parts: list[Content] = [buffer[slice(*block_range(*run, length))] for run in runs(difference.literal)]
    return Piece(number, length, examined, hashes, difference, parts, _nothing)


def _read_some(descriptor: int, buffer: memoryview, start: int, wanted: tuple[int, int], hashes: list[bytes]) -> int:
    """Read some blocks of a chunk to their places, and put their hashes among the others; returns how many bytes."""
    length, bits = wanted
    examined = 0
    for first, count in runs(bits):
        begin, end = block_range(first, count, length)
        examined += _read(descriptor, buffer[begin:end], start + begin, end - begin)
        hashes[first : first + count] = hash_blocks(buffer[begin:end])
    return examined


def _read(descriptor: int, buffer: memoryview, offset: int, length: int) -> int:
    """Read up to `length` bytes; fewer at the end of the file. In portions that stay in a processor's cache."""
    done = 0
    while done < length:
        count = os.preadv(descriptor, [buffer[done : min(done + _READ_BYTES, length)]], offset + done)
        if count == 0:
            break
        done += count
    return done


def _nothing() -> None:
    """There is nothing to release."""
