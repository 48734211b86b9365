"""The channel between two grids: frames on a byte stream that may end, stall or lie at any moment.

A frame is one byte that says what it is, four bytes of length, big-endian, and that many bytes, at most `MAXIMUM`.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import stat
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from ..errors import CopyError, UnreachableError
from .blocks import CHUNK, Content

MAXIMUM = 2 * CHUNK
_HEADER = struct.Struct(">BI")
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 20
_GATHER_BYTES = 256 << 10
_SMALL_BYTES = 64 << 10
_PARTS = 512
_BURST_SECONDS = 0.1
_LEAST_BYTES = 4096


class Wire:
    """Frames to and from the other end. It has its own copies of the channel's descriptors; `cancel` may be called from
    another thread. `received` and `sent` count bytes."""

    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = _own(reader), _own(writer)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._readable = self._poll(self._reader, select.POLLIN)
        self._writable = self._poll(self._writer, select.POLLOUT)
        self._input = memoryview(bytearray(MAXIMUM + _HEADER.size + _READ_BYTES))
        self._start = self._end = 0
        self._output: list[Content] = []
        self._output_bytes = 0
        self._rate: int | None = None
        self._paid_until = 0.0
        self._cancelled = False
        self.received = self.sent = 0

    @property
    def is_cancelled(self) -> bool:
        """Whether this end wants no more."""
        return self._cancelled

    def limit(self, rate: int | None) -> None:
        """Send at most so many bytes a second from now on."""
        self._rate = rate or None

    def receive(self) -> tuple[int, memoryview]:
        """The next frame. Its content stays valid until the next call. Raises UnreachableError, CopyError."""
        if self._output:
            self.flush()
        if self._end - self._start < _HEADER.size:
            self._need(_HEADER.size)
        kind, length = _HEADER.unpack_from(self._input, self._start)
        if length > MAXIMUM:
            raise CopyError(f"The other grid sent {length} bytes at once, at most {MAXIMUM} are accepted.")
        self._start += _HEADER.size
        if self._end - self._start < length:
            self._need(length)
        self._start += length
        return kind, self._input[self._start - length : self._start]

    def send(self, kind: int, *parts: Content) -> None:
        """Send a frame: a small one soon, a large one at once, so that its contents need not be copied."""
        length = sum(map(len, parts))
        self._output.append(_HEADER.pack(kind, length))
        if length > _SMALL_BYTES:
            self._output += parts
            self.flush()
            return
        self._output.append(b"".join(parts))
        self._output_bytes += _HEADER.size + length
        if self._output_bytes >= _GATHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what has been gathered. Raises UnreachableError."""
        if self._output:
            parts, self._output, self._output_bytes = self._output, [], 0
            for start in range(0, len(parts), _PARTS):
                self._write([memoryview(part) for part in parts[start : start + _PARTS]])

    def cancel(self) -> None:
        """Let what waits here, or will, raise UnreachableError, and let the other end see that nobody is here."""
        self._cancelled = True
        with suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Give the descriptors back; nothing is sent any more."""
        self._cancelled = True
        for descriptor in {self._reader, self._writer}:
            _hang_up(descriptor)
            os.close(descriptor)
        os.close(self._wake)

    def _need(self, count: int) -> None:
        """Have so many bytes of input."""
        if self._start == self._end:
            self._start = self._end = 0
        if self._start + count > len(self._input):
            held = self._end - self._start
            self._input[:held] = self._input[self._start : self._end]
            self._start, self._end = 0, held
        while self._end - self._start < count:
            self._end += self._read()

    def _read(self) -> int:
        space = self._input[self._end : self._end + _READ_BYTES]
        while True:
            self._check()
            try:
                count = os.readv(self._reader, [space])
            except BlockingIOError:
                self._readable.poll()
            except OSError as error:
                raise UnreachableError(f"The connection to the other grid broke: {error.strerror}.") from error
            else:
                if count == 0:
                    raise UnreachableError("The other grid closed the connection.")
                self.received += count
                return count

    def _write(self, parts: list[memoryview]) -> None:
        while parts:
            self._check()
            try:
                count = os.writev(self._writer, parts if self._rate is None else self._portion(parts, self._rate))
            except BlockingIOError:
                self._writable.poll()
            except OSError as error:
                raise UnreachableError(f"The connection to the other grid broke: {error.strerror}.") from error
            else:
                self.sent += count
                parts = _without(parts, count)
                self._pay(count)

    @staticmethod
    def _portion(parts: list[memoryview], rate: int) -> list[memoryview]:
        """As much of `parts` as a limited sender may send without a pause."""
        return [parts[0][: max(int(rate * _BURST_SECONDS), _LEAST_BYTES)]]

    def _pay(self, count: int) -> None:
        """Wait as long as the limit says that `count` bytes take."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._paid_until = max(self._paid_until, now - _BURST_SECONDS) + count / self._rate
        if self._paid_until > now:
            self._sleep(self._paid_until - now)

    def _sleep(self, seconds: float) -> None:
        select.select([self._wake], [], [], seconds)
        self._check()

    def _poll(self, descriptor: int, event: int) -> select.poll:
        """What waits until a descriptor is ready, or `cancel` is called."""
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._wake, select.POLLIN)
        return poll

    def _check(self) -> None:
        if self._cancelled:
            raise UnreachableError("The session was closed.")


def _own(descriptor: int) -> int:
    """A copy of a descriptor that does not block, with a large buffer where it is a pipe's."""
    copy = os.dup(descriptor)
    os.set_blocking(copy, False)
    if stat.S_ISFIFO(os.fstat(copy).st_mode):
        with suppress(OSError):
            fcntl.fcntl(copy, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return copy


def _hang_up(descriptor: int) -> None:
    """End a socket's connection although others have copies of its descriptor."""
    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            connection.shutdown(socket.SHUT_RDWR)


def _without(parts: Sequence[memoryview], count: int) -> list[memoryview]:
    """What is left of `parts` when `count` bytes were written."""
    for index, part in enumerate(parts):
        if count < len(part):
            return [part[count:], *parts[index + 1 :]]
        count -= len(part)
    return []
