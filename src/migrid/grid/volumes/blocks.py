"""Content as hashes of its blocks: what a receiver remembers of a file, and how two states of a file are told apart.

A file is a series of chunks of 1 MiB, a chunk is a series of blocks of 16 KiB; the last of either may be shorter. The
map of a file has for each chunk the hashes of its blocks, one after the other. A chunk that is all zeros, hole or not,
is not in the map: so a map is never larger than what was really read, whatever size a file claims to have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from xxhash import xxh3_128_digest

BLOCK = 16 << 10
CHUNK = 1 << 20
BLOCKS_IN_CHUNK = CHUNK // BLOCK
HASH_BYTES = 16
ZEROS = memoryview(bytes(CHUNK))

Content = bytes | bytearray | memoryview
Map = dict[int, bytes]

_BLOCK_STARTS = tuple(range(0, CHUNK, BLOCK))
_ZERO_BLOCK = xxh3_128_digest(ZEROS[:BLOCK])


def block_count(length: int) -> int:
    """How many blocks a chunk of this length has."""
    return (length + BLOCK - 1) // BLOCK


def all_blocks(length: int) -> int:
    """A chunk's blocks as a set of bits, all of them."""
    return (1 << block_count(length)) - 1


def hash_blocks(chunk: memoryview) -> list[bytes]:
    """The hashes of the blocks of a chunk."""
    return [xxh3_128_digest(chunk[start : start + BLOCK]) for start in _BLOCK_STARTS[: block_count(len(chunk))]]


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a chunk, one by one."""
    return [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]


def zero_hashes(length: int) -> list[bytes]:
    """The hashes of the blocks of a chunk that is all zeros."""
    whole, rest = divmod(length, BLOCK)
    return [_ZERO_BLOCK] * whole + ([xxh3_128_digest(ZEROS[:rest])] if rest else [])


def is_zero(hashes: list[bytes], length: int) -> bool:
    """Whether these are the hashes of zeros only."""
    if length >= BLOCK and hashes[0] != _ZERO_BLOCK:
        return False
    return hashes == zero_hashes(length)


class Difference(NamedTuple):
    """What has to be done to a chunk: blocks, as bits, that get content, zeros, or a hole. `differs` is also true when
    the chunk only got shorter."""

    differs: bool
    literal: int
    zeros: int
    holes: int


def compare(hashes: list[bytes], length: int, data: int, old: bytes | None, fresh: bool) -> Difference:
    """Compare a chunk with what is known of it. `data` are the blocks that are not holes. `old` is None for zeros; in a
    `fresh` file these are holes so far, and zeros that are none have to be written."""
    if fresh:
        changed, differs = all_blocks(length) & data, data != 0
    else:
        before = zero_hashes(length) if old is None else split(old)
        differs = hashes != before
        changed = _differing(hashes, before) if differs else 0
    zero = changed and _equal(hashes, zero_hashes(length)) & changed
    return Difference(differs, changed & ~zero, zero & data, zero & ~data)


def merge(content: Map, number: int, length: int, bits: int, changed: list[bytes]) -> None:
    """Put the hashes of the blocks that a difference has, all kinds of it, into a map; so a chunk gets its length."""
    old = content.get(number)
    if bits == all_blocks(length):
        remember(content, number, changed, length)
        return
    hashes = (zero_hashes(length) if old is None else split(old))[: block_count(length)]
    hashes += [b""] * (block_count(length) - len(hashes))
    blocks = (block for first, count in runs(bits) for block in range(first, first + count))
    for block, value in zip(blocks, changed, strict=True):
        hashes[block] = value
    if not all(hashes):
        raise ValueError("a chunk has blocks of which nothing was ever said")
    remember(content, number, hashes, length)


def remember(content: Map, number: int, hashes: list[bytes], length: int) -> None:
    """Put the hashes of a chunk into a map."""
    if is_zero(hashes, length):
        content.pop(number, None)
    else:
        content[number] = b"".join(hashes)


def forget_beyond(content: Map, size: int) -> None:
    """Take the chunks that lie beyond the end of the file out of a map."""
    for number in [number for number in content if number * CHUNK >= size]:
        del content[number]


def content_digest(content: Map) -> bytes:
    """The hash of a map: of the number (8 bytes, big-endian) and the hashes of each of its chunks, in order."""
    if len(content) == 1:
        [(number, hashes)] = content.items()
        return xxh3_128_digest(number.to_bytes(8, "big") + hashes)
    parts = (part for number in sorted(content) for part in (number.to_bytes(8, "big"), content[number]))
    return xxh3_128_digest(b"".join(parts))


def runs(bits: int) -> Iterator[tuple[int, int]]:
    """The runs of set bits as (first, count)."""
    first = 0
    while bits:
        skip = (bits & -bits).bit_length() - 1
        first, bits = first + skip, bits >> skip
        count = (~bits & (bits + 1)).bit_length() - 1
        yield first, count
        first, bits = first + count, bits >> count


def block_range(first: int, count: int, length: int) -> tuple[int, int]:
    """Where a run of blocks begins and ends in a chunk of this length."""
    return first * BLOCK, min((first + count) * BLOCK, length)


def length_of_blocks(bits: int, length: int) -> int:
    """How many bytes these blocks of a chunk have together."""
    count = bits.bit_count()
    last = block_count(length) - 1
    return count * BLOCK - (block_count(length) * BLOCK - length if bits >> last & 1 else 0) if count else 0


def _differing(hashes: list[bytes], before: list[bytes]) -> int:
    before = before + [b""] * (len(hashes) - len(before))
    return sum(1 << block for block, value in enumerate(hashes) if value != before[block])


def _equal(hashes: list[bytes], others: list[bytes]) -> int:
    if len(hashes) > 1 and others[0] not in hashes and hashes[-1] != others[-1]:
        return 0
    return sum(1 << block for block, value in enumerate(hashes) if value == others[block])
