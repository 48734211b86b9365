"""What sender and receiver say to each other. The receiver leads; numbers are big-endian.

    receiver                           sender
    HELLO magic, version, trees        HELLO magic, version, trees
    SURVEY                             SURVEYED files, bytes, recent bytes
    ENTRY, CHUNKS … (what it has)      (nothing)
    FORGET path                        (nothing)
    ROUND final, bytes a second        BEGIN bytes to examine
                                       STAGE path …, REMOVE path …
                                       SEND base, staged, attributes, entry; for a file then DATA …, HOLE …, END
                                       ALIVE bytes examined, entries (now and then)
                                       DONE manifest, bytes examined, bytes of content
                                       ERROR text (instead of any answer)

ENTRY and CHUNKS are also how a receiver keeps on disk what it has.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

from .blocks import CHUNK, HASH_BYTES, Content, Map, all_blocks, length_of_blocks, split
from .entry import Entry, decode, encode

MAGIC = b"migrid volumes"
VERSION = 1

_CHUNKS_BYTES = 256 << 10
_DATA = struct.Struct(">QIQQQ")
_NUMBERED = struct.Struct(">QH")
_MAXIMUM_CHUNK_NUMBER = ((1 << 63) - 1) // CHUNK


class Kind(enum.IntEnum):
    """The first byte of a frame."""

    HELLO = 1
    SURVEY = 2
    SURVEYED = 3
    ENTRY = 4
    CHUNKS = 5
    FORGET = 6
    ROUND = 7
    BEGIN = 8
    STAGE = 9
    REMOVE = 10
    SEND = 11
    DATA = 12
    HOLE = 13
    END = 14
    ALIVE = 15
    DONE = 16
    ERROR = 17


ROUND = struct.Struct(">BQ")
SURVEYED = struct.Struct(">QQQ")
BEGIN = struct.Struct(">Q")
SEND = struct.Struct(">BII")
HOLE = struct.Struct(">Q")
END = struct.Struct(">QB16s")
ALIVE = struct.Struct(">QQ")
DONE = struct.Struct(">64sQQ")


class Data(NamedTuple):
    """A DATA frame: the blocks of a chunk that get content, zeros or a hole, and the hashes of all of these."""

    number: int
    length: int
    literal: int
    zeros: int
    holes: int
    hashes: list[bytes]
    content: memoryview

    @property
    def bits(self) -> int:
        return self.literal | self.zeros | self.holes


def hello(trees: tuple[bytes, ...]) -> bytes:
    return b"\0".join((MAGIC, b"%d" % VERSION, *trees))


def encode_known(entry: Entry) -> Iterator[tuple[Kind, list[Content]]]:
    """An entry with its content, as frames."""
    yield Kind.ENTRY, [encode(entry)]
    parts, size = list[Content](), 0
    for number, hashes in entry.content.items():
        parts += (_NUMBERED.pack(number, len(hashes)), hashes)
        size += _NUMBERED.size + len(hashes)
        if size > _CHUNKS_BYTES:
            yield Kind.CHUNKS, parts
            parts, size = [], 0
    if parts:
        yield Kind.CHUNKS, parts


def decode_chunks(data: memoryview, content: Map) -> None:
    """Add the chunks of a CHUNKS frame to a map. Raises ValueError."""
    start = 0
    while start < len(data):
        if len(data) < start + _NUMBERED.size:
            raise ValueError("a map is cut off")
        number, length = _NUMBERED.unpack_from(data, start)
        start += _NUMBERED.size + length
        if len(data) < start or length % HASH_BYTES or number > _MAXIMUM_CHUNK_NUMBER:
            raise ValueError("a map is cut off or has a chunk that cannot be")
        content[number] = bytes(data[start - length : start])


def encode_send(base: int, staged: int, encoded_attributes: bytes, entry: Entry) -> bytes:
    """A SEND frame."""
    return SEND.pack(base, staged, len(encoded_attributes)) + encoded_attributes + encode(entry)


def decode_send(data: memoryview) -> tuple[int, int, bytes, Entry]:
    """Base, number of what was put aside, encoded attributes, and the entry. Raises ValueError."""
    if len(data) < SEND.size:
        raise ValueError("an entry is cut off")
    base, staged, length = SEND.unpack_from(data)
    end = SEND.size + length
    return base, staged, bytes(data[SEND.size : end]), decode(bytes(data[end:]))


def encode_data(number: int, length: int, kinds: tuple[int, int, int], hashes: list[bytes]) -> list[Content]:
    """A DATA frame, without the content. `kinds` are the literal, zero and hole blocks; `hashes` those of the chunk."""
    bits = kinds[0] | kinds[1] | kinds[2]
    changed = [value for block, value in enumerate(hashes) if bits >> block & 1]
    return [_DATA.pack(number, length, *kinds), *changed]


def decode_data(data: memoryview) -> Data:
    """Raises ValueError."""
    if len(data) < _DATA.size:
        raise ValueError("a chunk is cut off")
    number, length, literal, zeros, holes = _DATA.unpack_from(data)
    bits = literal | zeros | holes
    if number > _MAXIMUM_CHUNK_NUMBER or length > CHUNK or bits & ~all_blocks(length):
        raise ValueError("a chunk has a number, a length or blocks that cannot be")
    end = _DATA.size + bits.bit_count() * HASH_BYTES
    if len(data) != end + length_of_blocks(literal, length):
        raise ValueError("a chunk has not the length that it says")
    return Data(number, length, literal, zeros, holes, split(bytes(data[_DATA.size : end])), data[end:])
