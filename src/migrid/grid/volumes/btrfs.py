"""Trees that are subvolumes of btrfs: each round reads a snapshot, and the file system itself tells what has changed.

A tree can be read like that when its top is the top of a subvolume without others in it, and there is a writable
directory of the same file system for the snapshots. They are read-only, and removed when the next round has one, at
the end, or by the next sender. Nothing of this concerns the receiver: what is sent is the same, only the sender need
not look for it. A tree for which anything fails is read as on every other file system.
"""

from __future__ import annotations

import os
import secrets
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from . import system
from .blocks import BLOCK, BLOCKS_IN_CHUNK
from .trees import Trees

Blocks = dict[int, int]
Touched = dict[int, Blocks | None]
Found = dict[bytes, os.stat_result]

_PREFIX = ".migrid-snapshot-"
_TOP_OF_SUBVOLUME = 256
_SUBVOLUME_LEFT_OUT = 2

_MAGIC = b"btrfs-stream\0"
_COMMAND = struct.Struct("<IHI")
_ATTRIBUTE = struct.Struct("<HH")
_NEW_FILE, _NEW_DIRECTORY, _RENAME, _LINK, _WRITE, _CLONE, _UPDATE_EXTENT = 3, 4, 9, 10, 15, 16, 22
_SIZE, _PATH, _PATH_TO, _PATH_LINK, _OFFSET, _CLONE_LENGTH = 4, 15, 16, 17, 18, 24


class Snapshots:
    """The snapshots that one sender makes of one tree."""

    def __init__(self, name: str, live: Path, place: Path) -> None:
        self.name, self._live, self._place = name, live, place
        self._token = secrets.token_hex(4)
        self._count = 0
        self.current: Path | None = None
        self.previous: Path | None = None

    @classmethod
    def of(cls, name: str, live: Path, place: Path) -> Snapshots | None:
        """Those of a tree that can have them. Removes what an earlier sender left behind."""
        if not (place.is_dir() and os.access(place, os.W_OK) and _is_subvolume(live)):
            return None
        for old in place.glob(f"{_PREFIX}*"):
            _remove(old)
        return cls(name, live, place)

    def take(self) -> Path:
        """A new snapshot, which is `current` then. Raises OSError, CalledProcessError."""
        self._count += 1
        path = self._place / f"{_PREFIX}{self._token}-{self._count}"
        _btrfs("subvolume", "snapshot", "-r", str(self._live), str(path))
        self.drop_previous()
        self.previous, self.current = self.current, path
        return path

    def changes(self, was_directory: Callable[[bytes], bool]) -> Changes | None:
        """What has changed between the last two snapshots; None if nobody can tell."""
        if self.previous is None or self.current is None:
            return None
        command = ["btrfs", "-q", "send", "--no-data", "-p", str(self.previous), str(self.current)]
        changes = Changes(was_directory)
        try:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                changes.read(_stream(process))
        except (OSError, ValueError, KeyError, struct.error):
            return None
        return changes if process.returncode == 0 else None

    def drop_previous(self) -> None:
        """Remove the snapshot that the last round compared with."""
        if self.previous is not None:
            _remove(self.previous)
            self.previous = None

    def close(self) -> None:
        """Remove all of them."""
        self.drop_previous()
        if self.current is not None:
            _remove(self.current)
            self.current = None


class Changes:
    """What the commands of a send stream say. `files` has, by the path that a file has at the end, the blocks of chunks
    that are touched, as bits; None for a new file. `named` are the paths that came, went, or got other metadata, and
    the directories that they are in. `moved` tells whether a directory that was there before has got another path.
    """

    def __init__(self, was_directory: Callable[[bytes], bool]) -> None:
        self.files: dict[bytes, Blocks | None] = {}
        self.named: set[bytes] = set()
        self.moved = False
        self._was_directory = was_directory
        self._new: set[bytes] = set()
        self._above: set[bytes] = set()

    def read(self, stream: BinaryIO) -> None:
        """Take the commands of a stream. Raises OSError, ValueError, KeyError, struct.error."""
        for command, values in _commands(stream):
            self._take(command, values)

    def _take(self, command: int, values: Mapping[int, bytes]) -> None:
        path = values.get(_PATH, b"")
        self._name(path)
        if command == _RENAME:
            self._rename(path, values[_PATH_TO])
        elif command in (_NEW_FILE, _NEW_DIRECTORY):
            self._new.add(path)
            if command == _NEW_FILE:
                self.files[path] = None
        elif command in (_WRITE, _CLONE, _UPDATE_EXTENT):
            blocks = self.files.setdefault(path, {})
            if blocks is not None:
                _touch(blocks, values[_OFFSET], values[_CLONE_LENGTH if command == _CLONE else _SIZE])
        elif command == _LINK:
            self._name(values[_PATH_LINK])

    def _name(self, path: bytes) -> None:
        self.named.add(path)
        above = path.rpartition(b"/")[0]
        self.named.add(above)
        while above not in self._above:
            self._above.add(above)
            above = above.rpartition(b"/")[0]

    def _rename(self, old: bytes, new: bytes) -> None:
        """Let what is at a path, and below it, have its new one."""
        self._name(new)
        if old in self._new:
            self._new.add(new)
        elif self._was_directory(old):
            self.moved = True
        if old in self.files:
            self.files[new] = self.files.pop(old)
        elif old in self._above:
            prefix = old + b"/"
            for path in [path for path in self.files if path.startswith(prefix)]:
                self.files[new + path[len(old) :]] = self.files.pop(path)
            for path in [path for path in self.named if path.startswith(prefix)]:
                self._name(new + path[len(old) :])


def touched(changes: Changes, trees: Trees, tree: bytes) -> Touched | None:
    """The touched blocks by inode number. None if the paths are not there, so that something is not understood."""
    found: Touched = {}
    for path, blocks in changes.files.items():
        stat = trees.lstat(tree + b"/" + path)
        if stat is None:
            return None
        found[stat.ino] = blocks
    return found


def updated(before: Found, changes: Changes, trees: Trees, tree: bytes) -> Found:
    """What there is in a tree now, told from what there was before: the same objects where nothing has changed."""
    found = dict(before)
    shared = set[int]()
    for name in changes.named:
        path = tree + b"/" + name if name else tree
        old, new = found.pop(path, None), trees.find(path)
        if new is not None:
            found[path] = new
        shared |= {stat.st_ino for stat in (old, new) if stat is not None and stat.st_nlink > 1}
    for path in [path for path, stat in found.items() if stat.st_ino in shared] if shared else []:
        new = trees.find(path)
        if new is not None:
            found[path] = new
    return found


def leaves_subvolumes_out(found: Mapping[bytes, os.stat_result], tree: bytes) -> bool:
    """Whether there were subvolumes in a tree, which are empty directories in a snapshot."""
    prefix = tree + b"/"
    return any(stat.st_ino == _SUBVOLUME_LEFT_OUT and path.startswith(prefix) for path, stat in found.items())


def _is_subvolume(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        is_top = os.fstat(descriptor).st_ino == _TOP_OF_SUBVOLUME
        return is_top and system.file_system_type(descriptor) == system.BTRFS
    finally:
        os.close(descriptor)


def _btrfs(*arguments: str) -> None:
    subprocess.run(["btrfs", "-q", *arguments], check=True, capture_output=True)  # noqa: S607


def _remove(path: Path) -> None:
    with suppress(OSError, subprocess.CalledProcessError):
        _btrfs("subvolume", "delete", str(path))


def _stream(process: subprocess.Popen[bytes]) -> BinaryIO:
    if process.stdout is None:
        raise ValueError("btrfs send has no output")
    return process.stdout  # type: ignore[return-value]


def _commands(stream: BinaryIO) -> Iterator[tuple[int, dict[int, bytes]]]:
    """The commands of a stream, with their attributes by number."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("this is no stream of btrfs send")
    stream.read(4)
    while head := stream.read(_COMMAND.size):
        length, command, _ = _COMMAND.unpack(head)
        yield command, dict(_attributes(stream.read(length)))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        number, length = _ATTRIBUTE.unpack_from(data, start)
        start += _ATTRIBUTE.size + length
        yield number, data[start - length : start]


def _touch(blocks: Blocks, offset: bytes, length: bytes) -> None:
    start = int.from_bytes(offset, "little")
    first, end = start // BLOCK, -(-(start + int.from_bytes(length, "little")) // BLOCK)
    while first < end:
        number, within = divmod(first, BLOCKS_IN_CHUNK)
        count = min(end - first, BLOCKS_IN_CHUNK - within)
        blocks[number] = blocks.get(number, 0) | ((1 << count) - 1) << within
        first += count
