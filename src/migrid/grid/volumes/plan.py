"""What a sender has to say in a round, from what the receiver has and what is there now: decided purely.

An unmoved `Stat` means unchanged content only when it was settled: read after the file system had been synchronized
(from then on the first store to any page moves ctime, also through a memory map), on a file system that keeps this
promise, and with a ctime so far in the past that no later change can have got the same one from a coarse clock, and
that no write that had got it before can still have been under way. The last is why it is half a minute: a write to a
device that stalls has its ctime from when it began. (Those that the page cache takes are waited for in any case, by
the search for holes.) Where a file system itself tells which files were touched since the last round, that counts
instead.
"""

from __future__ import annotations

import enum
import os
import stat as modes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .blocks import CHUNK, all_blocks
from .btrfs import Blocks, Touched
from .entry import Entry, Stat
from .look import Look
from .trees import FROZEN

RACY_NANOSECONDS = 30_000_000_000

Index = dict[bytes, Entry]
_Object = tuple[bytes, int, int]


class Base(enum.IntEnum):
    """What a file's content is built from at the receiver."""

    NOTHING = 0  # a new file, in place of whatever has that path
    SAME = 1  # the file that has that path
    STAGED = 2  # a file that was put aside, by its number


@dataclass(frozen=True)
class Change:
    """An entry that is to be sent. `staged` numbers the base that was put aside. `only` are the blocks of chunks, as
    bits, in which the content may differ from the base, where that is known."""

    path: bytes
    stat: Stat
    leader: bytes
    base: Base = Base.NOTHING
    staged: int = 0
    only: Blocks | None = None

    @property
    def has_content(self) -> bool:
        """Whether this is the entry that carries the content of a regular file."""
        return self.stat.is_file and self.leader == self.path


@dataclass(frozen=True)
class Plan:
    """One round: paths whose files are put aside first, paths that are removed then, deepest first, and the changes."""

    staged: tuple[bytes, ...]
    removed: tuple[bytes, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Moment:
    """Under which circumstances a round looks. A `final` one does not synchronize: nobody writes, and what it reads
    need not be known later. `telling` says whether ctime tells of stores on a device."""

    started: int
    final: bool
    telling: Callable[[int], bool]

    def settles(self, stat: Stat) -> bool:
        """Whether an entry that is read now need not be read again until its stat moves."""
        written = not self.final or stat.dev == FROZEN
        return written and self.telling(stat.dev) and stat.ctime < self.started - RACY_NANOSECONDS


def plan_round(index: Index, look: Look) -> Plan:
    """What has to be said so that a receiver that has `index` gets what a look found."""
    found = look.found
    leaders = find_leaders(found)
    changes = []
    for path in sorted(found):
        old, leader = index.get(path), leaders.get(path, path)
        if old is not None and old.leader == leader and _is_untouched(old, found[path], look.before.get(path)):
            continue
        stat = look.trees.stat(found[path])
        if old is None or old.stat != stat or old.leader != leader or not _content_stands(old, look.touched):
            changes.append(Change(path, stat, leader))
    return _with_bases(index, changes, sorted(index.keys() - found.keys(), reverse=True), look.touched)


def find_leaders(found: Mapping[bytes, os.stat_result]) -> dict[bytes, bytes]:
    """The first path of each file that has several, for each of these."""
    groups: dict[_Object, list[bytes]] = {}
    for path, stat in found.items():
        if stat.st_nlink > 1 and not modes.S_ISDIR(stat.st_mode):
            groups.setdefault((_tree(path), stat.st_dev, stat.st_ino), []).append(path)
    return {path: leader for group in groups.values() for leader in [min(group)] for path in group}


def _is_untouched(old: Entry, found: os.stat_result, before: os.stat_result | None) -> bool:
    """Whether the file system says that nothing of an entry has changed since it was sent."""
    return found is before and old.stat.ino == found.st_ino


def _content_stands(old: Entry, touched: Mapping[bytes, Touched]) -> bool:
    """Whether an entry whose stat has not moved has its old content."""
    told = touched.get(_tree(old.path)) if touched else None
    return old.settled if told is None else old.stat.ino not in told


class _Known:
    """What a receiver has, in the ways in which new places for it are looked up: only when that is needed."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def origin(self, change: Change) -> bytes | None:
        """The path at which the receiver has the file of a change."""
        key = _object(change.path, change.stat)
        old = self._index.get(change.path)
        if old is not None and old.leads and old.stat.is_file and _object(old.path, old.stat) == key:
            return change.path
        return self._files.get(key)

    @cached_property
    def shared(self) -> set[bytes]:
        """The files that have further names."""
        return {entry.leader for entry in self._index.values() if not entry.leads}

    @cached_property
    def _files(self) -> dict[_Object, bytes]:
        entries = self._index.items()
        return {_object(path, entry.stat): path for path, entry in entries if entry.leads and entry.stat.is_file}


def _with_bases(
    index: Index, changes: Sequence[Change], removed: Sequence[bytes], touched: Mapping[bytes, Touched]
) -> Plan:
    """Choose what each changed file is built from."""
    known = _Known(index)
    origins = {change.path: known.origin(change) for change in changes if change.has_content}
    staged: dict[bytes, int] = {}
    for path, origin in origins.items():
        if origin is not None and origin != path:
            staged.setdefault(origin, len(staged))
    chosen = []
    for change in changes:
        if change.has_content:
            origin = origins[change.path]
            if origin is None:
                change = _built_anew(change, index, known, staged)
            else:
                change = _built_on(change, index[origin], staged, touched)
        chosen.append(change)
    return Plan(tuple(staged), tuple(removed), tuple(chosen))


def _built_on(change: Change, old: Entry, staged: Mapping[bytes, int], touched: Mapping[bytes, Touched]) -> Change:
    """A file that the receiver has, perhaps under another name."""
    told = touched.get(_tree(change.path))
    blocks = None if told is None else told.get(change.stat.ino, {})
    only = None if blocks is None else blocks | _ends(old.stat.size, change.stat.size)
    if old.path == change.path:
        return replace(change, base=Base.SAME, only=only)
    return replace(change, base=Base.STAGED, staged=staged[old.path], only=only)


def _ends(old: int, new: int) -> Blocks:
    """The chunks at the ends of a file that got another size, whole."""
    return {} if old == new else dict.fromkeys((old // CHUNK, new // CHUNK), all_blocks(CHUNK))


def _built_anew(change: Change, index: Index, known: _Known, staged: Mapping[bytes, int]) -> Change:
    """Another file than before. It is built upon the one that had its path, unless that has to keep its content for
    other names."""
    old = index.get(change.path)
    if old is None or not (old.leads and old.stat.is_file) or change.path in staged or change.path in known.shared:
        return change
    return replace(change, base=Base.SAME)


def _object(path: bytes, stat: Stat) -> _Object:
    """What makes a file the same under all its names: hard links do not cross trees."""
    return _tree(path), stat.dev, stat.ino


def _tree(path: bytes) -> bytes:
    return path.partition(b"/")[0]
