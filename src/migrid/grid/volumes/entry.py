"""What is known of one entry of a tree, as bytes on the wire, and as a line of the manifest.

The manifest of a set of trees has one line for each entry, the tops of the trees included, sorted by the bytes of its
path. A path begins with the name of its tree. The fields of a line are separated by tabs:

    type        one of - d l p s c b, as `ls` has them
    mode        permissions with setuid, setgid and sticky bit, octal; 777 for a symbolic link
    owner       uid:gid as numbers
    size        bytes of a regular file, else 0
    mtime       nanoseconds since 1970
    device      the number of a device node, else 0
    attributes  xxh3-128 of the extended attributes (`attributes.encode`) in hexadecimal, `-` when there are none
    content     of a regular file: xxh3-128 of its map of blocks (`blocks.content_digest`) in hexadecimal; of a symbolic
                link: its target; of a further name of the same file: `=` and the path that is first in order; else `-`
    path

Paths and targets are bytes, written as Latin-1 with Python's escapes (`unicode_escape`), so that a tab or a newline in
a name is none in the manifest. The digest of the manifest is the SHA-256 of its lines, each ended by a newline.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat as modes
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .blocks import Map, content_digest

_TYPES = {
    modes.S_IFREG: b"-",
    modes.S_IFDIR: b"d",
    modes.S_IFLNK: b"l",
    modes.S_IFIFO: b"p",
    modes.S_IFSOCK: b"s",
    modes.S_IFCHR: b"c",
    modes.S_IFBLK: b"b",
}
_FIXED = struct.Struct(">QQIIIQqqQBIIIB")
_NO_ID = 0xFFFFFFFF
_MAXIMUM_SIZE = (1 << 63) - 1


class Stat(NamedTuple):
    """What lstat says of an entry. As long as nothing of it moves, the entry is the same object with the same content,
    where the file system can be trusted with that. Sizes of what is no regular file are 0: they differ between file
    systems. Times are in nanoseconds."""

    dev: int
    ino: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    ctime: int
    rdev: int

    @classmethod
    def of(cls, found: os.stat_result, device: int) -> Stat:
        mode = found.st_mode
        kind = mode & 0o170000
        size = found.st_size if kind == modes.S_IFREG else 0
        rdev = found.st_rdev if kind in (modes.S_IFCHR, modes.S_IFBLK) else 0
        times = found.st_mtime_ns, found.st_ctime_ns
        return cls(device, found.st_ino, mode, found.st_uid, found.st_gid, size, *times, rdev)

    @property
    def is_file(self) -> bool:
        return modes.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        return modes.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return modes.S_ISLNK(self.mode)


@dataclass(slots=True)
class Entry:
    """One entry of a tree: `stat` as it was at the source, where all other than `path` came from.

    `leader` is the path of the first name of the same file, `path` itself if it is the first or only one; only a leader
    has content. `attributes` is the hash of the extended attributes. `settled` tells whether an unmoved `stat` means
    unchanged content. `written` is the line of the manifest once that was asked for: from then on nothing that is in it
    may change.
    """

    path: bytes
    stat: Stat
    leader: bytes
    target: bytes = b""
    attributes: bytes = b""
    settled: bool = False
    content: Map = field(default_factory=dict)
    written: bytes = field(default=b"", repr=False, compare=False)

    @property
    def leads(self) -> bool:
        return self.leader == self.path


def encode(entry: Entry) -> bytes:
    """All of an entry other than its content."""
    leader = b"" if entry.leads else entry.leader
    lengths = len(entry.path), len(leader), len(entry.target), len(entry.attributes)
    return _FIXED.pack(*entry.stat, entry.settled, *lengths) + entry.path + leader + entry.target + entry.attributes


def decode(data: bytes) -> Entry:
    """The entry that `encode` made `data` from. Raises ValueError."""
    try:
        *numbers, settled, path, leader, target, attributes = _FIXED.unpack_from(data)
    except struct.error as error:
        raise ValueError("an entry is too short") from error
    if len(data) != _FIXED.size + path + leader + target + attributes:
        raise ValueError("an entry has not the length that it says")
    stat = Stat(*numbers)
    if modes.S_IFMT(stat.mode) not in _TYPES or stat.mode >> 16 or _NO_ID in stat[3:5] or stat.size > _MAXIMUM_SIZE:
        raise ValueError("an entry has a type, an owner or a size that does not exist")
    ends = [_FIXED.size, _FIXED.size + path, _FIXED.size + path + leader, len(data) - attributes, len(data)]
    names = [data[start:end] for start, end in itertools.pairwise(ends)]
    return Entry(names[0], stat, names[1] or names[0], names[2], names[3], bool(settled))


def line(entry: Entry) -> bytes:
    """The line of an entry in the manifest, with its newline."""
    if not entry.written:
        entry.written = _write(entry)
    return entry.written


def manifest_digest(lines: Iterable[bytes]) -> str:
    """The digest of a manifest whose lines are sorted by path."""
    return hashlib.sha256(b"".join(lines)).hexdigest()


def shown(path: bytes) -> str:
    """A path for the eyes of a person: as UTF-8 where it is, with escapes for what cannot be printed."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _content(entry: Entry) -> bytes:
    if not entry.leads:
        return b"=" + _escaped(entry.leader)
    if entry.stat.is_file:
        return content_digest(entry.content).hex().encode()
    return _escaped(entry.target) if entry.stat.is_link else b"-"


def _escaped(name: bytes) -> bytes:
    return name.decode("latin-1").encode("unicode_escape")


def _write(entry: Entry) -> bytes:
    stat = entry.stat
    mode = 0o777 if stat.is_link else modes.S_IMODE(stat.mode)
    return b"%b\t%o\t%d:%d\t%d\t%d\t%d\t%b\t%b\t%b\n" % (
        _TYPES[modes.S_IFMT(stat.mode)],
        mode,
        stat.uid,
        stat.gid,
        stat.size,
        stat.mtime,
        stat.rdev,
        entry.attributes.hex().encode() or b"-",
        _content(entry),
        _escaped(entry.path),
    )
