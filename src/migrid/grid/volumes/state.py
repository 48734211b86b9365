"""What a receiver remembers of what has arrived, in memory and durably in a directory.

The directory has the file `known`, and while the trees are being written the mark `torn`. The mark is set durably
before the first change of a round, and goes when the trees have been synchronized and `known` says what they hold. So
when the mark is there, or `known` is not, only the trees themselves tell what has arrived.

`known` begins with all that was held once, and goes on with what each round has changed: so the cost of remembering a
round follows what has changed. When that is more than what it began with, and there is time, it is written anew.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from xxhash import xxh3_128_digest

from ...files import write_new
from . import messages
from .blocks import Content
from .entry import Entry, Stat, decode
from .messages import Kind

_MAGIC = b"migrid volumes known 2\n"
_HEADER = struct.Struct(">BI")
_HELD = struct.Struct(">QqB")
_DIRTY = struct.Struct(">QQ")
_BATCH = struct.Struct(">Q16s")
_HELD_KIND, _GONE_KIND = 200, 201
_BATCH_BYTES = 8 << 20


@dataclass(slots=True)
class Held:
    """An entry as the receiver has it. `here` are inode and ctime of its file at the target after the last change that
    this receiver made. Since the last verification, the metadata was written if `touched`, and the blocks of chunks in
    `dirty`, as bits."""

    entry: Entry
    here: tuple[int, int] = (0, 0)
    touched: bool = True
    dirty: dict[int, int] = field(default_factory=dict)

    def is_here(self, stat: Stat) -> bool:
        """Whether nobody else has changed the file since."""
        return self.here == (stat.ino, stat.ctime)


class State:
    """The directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known, self._torn = directory / "known", directory / "torn"
        self._first_bytes = self._added_bytes = 0
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def tear(self) -> None:
        """Say durably that the trees are being written."""
        if not self._torn.exists():
            write_new(self._torn, b"", 0o600)
            self._synchronize()

    def save(self, held: Mapping[bytes, Held]) -> None:
        """Remember all that the trees hold, which has been synchronized."""
        new = self._known.with_suffix(".new")
        new.unlink(missing_ok=True)
        with new.open("xb") as stream:
            stream.write(_MAGIC)
            self._first_bytes, self._added_bytes = _write(stream, held, held), 0
        new.rename(self._known)
        self._mend()

    def add(self, held: Mapping[bytes, Held], changed: Collection[bytes]) -> None:
        """The same, when since the last time only the entries at these paths have changed, or gone."""
        if self._first_bytes == 0:
            self.save(held)
            return
        with self._known.open("ab") as stream:
            self._added_bytes += _write(stream, held, changed)
        self._mend()

    def tidy(self, held: Mapping[bytes, Held]) -> None:
        """Begin anew if much was added to what was held once."""
        if self._added_bytes > self._first_bytes:
            self.save(held)

    def load(self) -> dict[bytes, Held] | None:
        """What was remembered; None if that may not be what the trees hold."""
        try:
            data = memoryview(b"" if self._torn.exists() else self._known.read_bytes())
        except FileNotFoundError:
            return None
        return _parse(data[len(_MAGIC) :]) if data[: len(_MAGIC)] == _MAGIC else None

    def _mend(self) -> None:
        """The trees hold what `known` says."""
        self._torn.unlink(missing_ok=True)
        self._synchronize()

    def _synchronize(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(stream: BinaryIO, held: Mapping[bytes, Held], paths: Iterable[bytes]) -> int:
    """Write what is held at some paths, durably; returns its size."""
    written, size, parts = 0, 0, list[Content]()
    for path in paths:
        one = held.get(path)
        for kind, content in _frames(one) if one else [(_GONE_KIND, [path])]:
            length = sum(map(len, content))
            parts += (_HEADER.pack(kind, length), *content)
            size += length
        if size > _BATCH_BYTES:
            written += _write_batch(stream, parts)
            size, parts = 0, []
    written += _write_batch(stream, parts)
    stream.flush()
    os.fsync(stream.fileno())
    return written


def _write_batch(stream: BinaryIO, parts: Iterable[Content]) -> int:
    batch = b"".join(parts)
    return stream.write(_BATCH.pack(len(batch), xxh3_128_digest(batch))) + stream.write(batch)


def _frames(held: Held) -> list[tuple[int, list[Content]]]:
    dirty = (_DIRTY.pack(number, bits) for number, bits in held.dirty.items())
    return [*messages.encode_known(held.entry), (_HELD_KIND, [_HELD.pack(*held.here, held.touched), *dirty])]


def _parse(data: memoryview) -> dict[bytes, Held] | None:
    """What the batches say; None if one is not whole."""
    found: dict[bytes, Held] = {}
    while data:
        length, digest = _BATCH.unpack_from(data) if len(data) >= _BATCH.size else (0, b"")
        batch, data = data[_BATCH.size : _BATCH.size + length], data[_BATCH.size + length :]
        if xxh3_128_digest(batch) != digest:
            return None
        _parse_batch(batch, found)
    return found


def _parse_batch(data: memoryview, found: dict[bytes, Held]) -> None:
    start, held = 0, None
    while start < len(data):
        kind, length = _HEADER.unpack_from(data, start)
        content = data[start + _HEADER.size : start + _HEADER.size + length]
        start += _HEADER.size + length
        if kind == Kind.ENTRY:
            held = Held(decode(bytes(content)))
            found[held.entry.path] = held
        elif kind == _GONE_KIND:
            found.pop(bytes(content), None)
        elif held and kind == Kind.CHUNKS:
            messages.decode_chunks(content, held.entry.content)
        elif held:
            ino, ctime, touched = _HELD.unpack_from(content)
            held.here, held.touched = (ino, ctime), bool(touched)
            held.dirty = dict(_DIRTY.iter_unpack(content[_HELD.size :]))
