"""What a receiver remembers of what has arrived, in memory and durably in a directory.

The directory has the file `known`, and while the trees are being written the mark `torn`. The mark is set durably
before the first change of a round, and goes when the trees have been synchronized and `known` says what they hold. So
when the mark is there, or `known` is not, only the trees themselves tell what has arrived.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xxhash import xxh3_128

from ...files import write_new
from . import messages
from .blocks import Content
from .entry import Entry, Stat, decode
from .messages import Kind

_MAGIC = b"migrid volumes known 1\n"
_HEADER = struct.Struct(">BI")
_HELD = struct.Struct(">QqB")
_DIRTY = struct.Struct(">QQ")
_HELD_KIND = 200
_DIGEST_BYTES = 16
_WRITE_BYTES = 1 << 20


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
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def tear(self) -> None:
        """Say durably that the trees are being written."""
        if not self._torn.exists():
            write_new(self._torn, b"", 0o600)
            self._synchronize()

    def save(self, held: dict[bytes, Held]) -> None:
        """Remember what the trees hold, which has been synchronized."""
        new = self._known.with_suffix(".new")
        new.unlink(missing_ok=True)
        with new.open("xb") as stream:
            digest = xxh3_128(_MAGIC)
            stream.write(_MAGIC)
            for part in _gathered(held):
                digest.update(part)
                stream.write(part)
            stream.write(digest.digest())
            stream.flush()
            os.fsync(stream.fileno())
        new.rename(self._known)
        self._torn.unlink(missing_ok=True)
        self._synchronize()

    def load(self) -> dict[bytes, Held] | None:
        """What was remembered; None if that may not be what the trees hold."""
        try:
            data = memoryview(b"" if self._torn.exists() else self._known.read_bytes())
        except FileNotFoundError:
            return None
        content, digest = data[: max(len(data) - _DIGEST_BYTES, 0)], bytes(data[-_DIGEST_BYTES:])
        if bytes(content[: len(_MAGIC)]) != _MAGIC or xxh3_128(content).digest() != digest:
            return None
        return _parse(content[len(_MAGIC) :])

    def _synchronize(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _gathered(held: dict[bytes, Held]) -> Iterator[bytes]:
    """All that is held, in portions."""
    parts, size = list[Content](), 0
    for one in held.values():
        for kind, content in (*messages.encode_known(one.entry), (_HELD_KIND, _encode_held(one))):
            length = sum(map(len, content))
            parts += (_HEADER.pack(kind, length), *content)
            size += length
        if size > _WRITE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


def _encode_held(held: Held) -> list[Content]:
    dirty = (_DIRTY.pack(number, bits) for number, bits in held.dirty.items())
    return [_HELD.pack(*held.here, held.touched), *dirty]


def _parse(data: memoryview) -> dict[bytes, Held]:
    """What `_gathered` wrote, whose digest was right."""
    found: dict[bytes, Held] = {}
    start, held = 0, None
    while start < len(data):
        kind, length = _HEADER.unpack_from(data, start)
        content = data[start + _HEADER.size : start + _HEADER.size + length]
        start += _HEADER.size + length
        if kind == Kind.ENTRY:
            held = Held(decode(bytes(content)))
            found[held.entry.path] = held
        elif held and kind == Kind.CHUNKS:
            messages.decode_chunks(content, held.entry.content)
        elif held:
            ino, ctime, touched = _HELD.unpack_from(content)
            held.here, held.touched = (ino, ctime), bool(touched)
            held.dirty = dict(_DIRTY.iter_unpack(content[_HELD.size :]))
    return found
