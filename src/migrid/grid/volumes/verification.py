"""What the trees of a target really hold, told from the trees alone.

Metadata is that of lstat for every entry. What was written since the last verification is read back, and so is every
file that somebody else has changed; of the rest the content is as it was found then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from . import attributes
from .blocks import HASH_BYTES, Map, all_blocks, length_of_blocks, merge, zero_hashes
from .entry import Entry, Stat
from .plan import find_leaders
from .readback import Found, ReadBack, Reading
from .state import Held
from .trees import Trees, chunk_length, chunks_with_data

Told = Callable[[int, int], None]
_File = tuple[Entry, Held | None]


@dataclass
class Inspection:
    """What was found: entries in order, and how many bytes were read for it. An entry of which all is as it is held, by
    what lstat says, is that very one."""

    trees: Trees
    held: Mapping[bytes, Held]
    entries: dict[bytes, Entry] = field(default_factory=dict)
    bytes_read: int = 0

    def run(self, told: Told) -> None:
        """Look at all trees. `told` gets the bytes read so far, and those to be read. Raises OSError."""
        found = self.trees.scan()
        leaders = find_leaders(found)
        files = list[_File]()
        for path in sorted(found):
            leader, held = leaders.get(path, path), self.held.get(path)
            if held is not None and _stands(held, found[path], leader):
                self.entries[path] = held.entry
            else:
                self._examine(Entry(path, self.trees.stat(found[path]), leader), held, files)
        self._read(files, told)

    def _examine(self, entry: Entry, held: Held | None, files: list[_File]) -> None:
        """Tell what an entry is, and note it in `files` if its content has to be read."""
        if held is not None and not (held.is_here(entry.stat) and held.entry.leader == entry.leader):
            held = None
        if held is None or held.touched:
            entry.attributes = attributes.digest(attributes.encode(attributes.read(self.trees.proc_path(entry.path))))
        else:
            entry.attributes = held.entry.attributes
        if entry.stat.is_link:
            entry.target = self.trees.read_link(entry.path)
        elif entry.stat.is_file and entry.leads:
            if held is not None:
                entry.content = held.entry.content
            if held is None or held.dirty:
                files.append((entry, held))
        self.entries[entry.path] = entry

    def _read(self, files: list[_File], told: Told) -> None:
        if not files:
            return
        total = sum(_bytes_to_read(entry, held) for entry, held in files)
        with ReadBack() as readback:
            for result in readback.read(self._readings(files)):
                self._take(result)
                told(self.bytes_read, total)

    def _readings(self, files: list[_File]) -> Iterator[Reading]:
        for entry, held in files:
            descriptor = self.trees.open_file(entry.path, entry.stat)
            if descriptor is None:
                continue
            chunks = _all_chunks(descriptor, entry.stat.size) if held is None else _dirty(held, entry.stat.size)
            if chunks:
                yield Reading(entry.path, descriptor, entry.stat.size, chunks)
            else:
                os.close(descriptor)

    def _take(self, found: Found) -> None:
        """Put what was read where the entry's content is told, which stays as it is where that says the same."""
        entry = self.entries[found.path]
        self.bytes_read += length_of_blocks(found.bits, found.length)
        if _expected(entry.content, found) != found.hashes:
            held = self.held.get(found.path)
            if held is not None and entry.content is held.entry.content:
                entry.content = dict(entry.content)
            merge(entry.content, found.number, found.length, found.bits, found.hashes)


def _stands(held: Held, found: os.stat_result, leader: bytes) -> bool:
    """Whether lstat says that an entry is as it is held, and nothing of it has yet to be verified."""
    if held.touched or held.dirty or held.here != (found.st_ino, found.st_ctime_ns) or held.entry.leader != leader:
        return False
    there = held.entry.stat
    if found.st_mtime_ns != there.mtime or (found.st_mode, found.st_uid, found.st_gid) != there[2:5]:
        return False
    return found.st_size == there.size if there.is_file else Stat.of(found, 0).rdev == there.rdev


def _bytes_to_read(entry: Entry, held: Held | None) -> int:
    size = entry.stat.size
    if held is None:
        return size
    return sum(length_of_blocks(bits, chunk_length(number, size)) for number, bits in _dirty(held, size).items())


def _all_chunks(descriptor: int, size: int) -> dict[int, int]:
    """The chunks of a file that are not holes."""
    return {number: all_blocks(chunk_length(number, size)) for number, _ in chunks_with_data(descriptor, size)}


def _dirty(held: Held, size: int) -> dict[int, int]:
    """The blocks that were written and are still part of the file."""
    within = {number: bits & all_blocks(chunk_length(number, size)) for number, bits in held.dirty.items()}
    return {number: bits for number, bits in within.items() if bits}


def _expected(content: Map, found: Found) -> list[bytes]:
    """The hashes that the blocks which were read should have."""
    known = content.get(found.number)
    hashes = b"".join(zero_hashes(found.length)) if known is None else known
    bits, values = found.bits, list[bytes]()
    while bits:
        block = (bits & -bits).bit_length() - 1
        values.append(hashes[block * HASH_BYTES : (block + 1) * HASH_BYTES])
        bits &= bits - 1
    return values
