"""How a receiver reads what it has written: from the device, past the page cache, where the file system can do that."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from xxhash import xxh3_128_digest

from .blocks import BLOCK, CHUNK, block_range, runs
from .trees import chunk_length

_THREADS = 8
_AHEAD = 2 * _THREADS
_CHUNKS_AT_ONCE = 16


@dataclass(frozen=True)
class Reading:
    """A file to read back: an open descriptor, which is closed afterwards, and the blocks of chunks, as bits."""

    path: bytes
    descriptor: int
    size: int
    chunks: Mapping[int, int]


@dataclass(frozen=True)
class Found:
    """The hashes of the blocks of one chunk that were read."""

    path: bytes
    number: int
    bits: int
    length: int
    hashes: list[bytes]


_Job = tuple[Reading, bool, Future[list[Found]]]


class ReadBack:
    """Reads many blocks at once, as devices like it."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="readback")
        self._buffers: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
        for _ in range(_THREADS):
            self._buffers.put(mmap.mmap(-1, CHUNK))

    def __enter__(self) -> ReadBack:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def read(self, readings: Iterable[Reading]) -> Iterator[Found]:
        """Read the files, in order. Raises OSError."""
        ahead: deque[_Job] = deque()
        try:
            for reading in readings:
                for job in self._submit(reading):
                    ahead.append(job)
                    while len(ahead) > _AHEAD:
                        yield from self._next(ahead)
            while ahead:
                yield from self._next(ahead)
        finally:
            self._pool.shutdown(cancel_futures=True)
            for reading, last, _ in ahead:
                if last:
                    os.close(reading.descriptor)

    def _submit(self, reading: Reading) -> Iterator[_Job]:
        _past_the_cache(reading.descriptor)
        chunks, left = iter(reading.chunks.items()), len(reading.chunks)
        while batch := list(islice(chunks, _CHUNKS_AT_ONCE)):
            left -= len(batch)
            yield reading, left == 0, self._pool.submit(self._read_all, reading, batch)

    @staticmethod
    def _next(ahead: deque[_Job]) -> list[Found]:
        found = ahead[0][2].result()
        reading, last, _ = ahead.popleft()
        if last:
            os.close(reading.descriptor)
        return found

    def _read_all(self, reading: Reading, chunks: list[tuple[int, int]]) -> list[Found]:
        return [self._read(reading, number, bits) for number, bits in chunks]

    def _read(self, reading: Reading, number: int, bits: int) -> Found:
        length = chunk_length(number, reading.size)
        buffer = self._buffers.get()
        try:
            view = memoryview(buffer)
            for first, count in runs(bits):
                _read_run(reading.descriptor, view, number * CHUNK, (first, count))
            hashes = [xxh3_128_digest(view[slice(*block_range(block, 1, length))]) for block in _blocks(bits)]
        finally:
            self._buffers.put(buffer)
        return Found(reading.path, number, bits, length, hashes)


def _blocks(bits: int) -> Iterator[int]:
    return (block for first, count in runs(bits) for block in range(first, first + count))


def _read_run(descriptor: int, chunk: memoryview, start: int, run: tuple[int, int]) -> None:
    """Read a run of blocks of a chunk to where they are in the chunk."""
    position, end = run[0] * BLOCK, (run[0] + run[1]) * BLOCK
    while position < end:
        try:
            count = os.preadv(descriptor, [chunk[position:end]], start + position)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            _through_the_cache(descriptor)
            count = os.preadv(descriptor, [chunk[position:end]], start + position)
        if count % BLOCK:
            return
        if count == 0:
            chunk[position:end] = bytes(end - position)
            return
        position += count


def _past_the_cache(descriptor: int) -> None:
    """Have a file read from its device; file systems that cannot do that refuse."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def _through_the_cache(descriptor: int) -> None:
    """Have a file read through the page cache."""
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_DIRECT)
