"""What is in a home, as its user sees it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    """A symbolic link that is not followed."""
    SPECIAL = "special"
    """A FIFO, a socket or a device: it can be listed, moved and removed, but not opened."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory. A link that is followed appears as what it leads to."""

    name: str
    kind: EntryKind
    size: int
    modified: float
    """Seconds since 1970."""


def entry_of(name: str, status: os.stat_result) -> Entry:
    """The entry for what lstat(2) says."""
    return Entry(name, kind_of(status), status.st_size, status.st_mtime)


def kind_of(status: os.stat_result) -> EntryKind:
    return _KINDS.get(stat.S_IFMT(status.st_mode), EntryKind.SPECIAL)


_KINDS = {stat.S_IFREG: EntryKind.FILE, stat.S_IFDIR: EntryKind.DIRECTORY, stat.S_IFLNK: EntryKind.LINK}
