"""What a sender has to say in a round, from what the receiver has and what is there now: decided purely.

An unmoved `Stat` means unchanged content only when it was settled: read after the file system had been synchronized
(from then on the first store to any page moves ctime, also through a memory map), on a file system that keeps this
promise, and with a ctime so far in the past that no later change can have got the same one from a coarse clock, and
that no write that had got it before can still have been under way. The last is why it is half a minute: a write to a
device that stalls has its ctime from when it began. (Those that the page cache takes are waited for in any case, by
the search for holes.)
"""

from __future__ import annotations

import enum
import os
import stat as modes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .entry import Entry, Stat

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
    """An entry that is to be sent. `staged` numbers the base that was put aside."""

    path: bytes
    stat: Stat
    leader: bytes
    base: Base = Base.NOTHING
    staged: int = 0

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
    """Under which circumstances a round looks. `telling` says whether ctime tells of stores on a device."""

    started: int
    synchronized: bool
    telling: Callable[[int], bool]

    def settles(self, stat: Stat) -> bool:
        """Whether an entry that is read now need not be read again until its stat moves."""
        return self.synchronized and self.telling(stat.dev) and stat.ctime < self.started - RACY_NANOSECONDS


def plan_round(index: Index, found: Mapping[bytes, os.stat_result]) -> Plan:
    """What has to be said so that a receiver that has `index` gets what lstat `found`."""
    leaders = find_leaders(found)
    changes = []
    for path in sorted(found):
        stat, leader = Stat.of(found[path]), leaders.get(path, path)
        if not _unchanged(index.get(path), stat, leader):
            changes.append(Change(path, stat, leader))
    return _with_bases(index, changes, sorted(index.keys() - found.keys(), reverse=True))


def find_leaders(found: Mapping[bytes, os.stat_result]) -> dict[bytes, bytes]:
    """The first path of each file that has several, for each of these."""
    groups: dict[_Object, list[bytes]] = {}
    for path, stat in found.items():
        if stat.st_nlink > 1 and not modes.S_ISDIR(stat.st_mode):
            groups.setdefault((_tree(path), stat.st_dev, stat.st_ino), []).append(path)
    return {path: leader for group in groups.values() for leader in [min(group)] for path in group}


def _unchanged(old: Entry | None, stat: Stat, leader: bytes) -> bool:
    return old is not None and old.settled and old.stat == stat and old.leader == leader


def _with_bases(index: Index, changes: Sequence[Change], removed: Sequence[bytes]) -> Plan:
    """Choose what each changed file is built from. A file with further names is never built upon in place: it may
    have to keep its content for these."""
    known = {_object(path, entry.stat): path for path, entry in index.items() if entry.leads and entry.stat.is_file}
    shared = {entry.leader for entry in index.values() if not entry.leads}
    staged: dict[bytes, int] = {}
    for change in changes:
        origin = known.get(_object(change.path, change.stat))
        if change.has_content and origin is not None and origin != change.path:
            staged.setdefault(origin, len(staged))
    chosen = [_with_base(change, index, known, staged, shared) for change in changes]
    return Plan(tuple(staged), tuple(removed), tuple(chosen))


def _with_base(
    change: Change, index: Index, known: Mapping[_Object, bytes], staged: Mapping[bytes, int], shared: set[bytes]
) -> Change:
    if not change.has_content:
        return change
    origin = known.get(_object(change.path, change.stat))
    if origin == change.path:
        return Change(change.path, change.stat, change.leader, Base.SAME)
    if origin is not None:
        return Change(change.path, change.stat, change.leader, Base.STAGED, staged[origin])
    old = index.get(change.path)
    if old and old.leads and old.stat.is_file and change.path not in shared and change.path not in staged:
        return Change(change.path, change.stat, change.leader, Base.SAME)
    return change


def _object(path: bytes, stat: Stat) -> _Object:
    """What makes a file the same under all its names: hard links do not cross trees."""
    return _tree(path), stat.dev, stat.ino


def _tree(path: bytes) -> bytes:
    return path.partition(b"/")[0]
