"""Trees of files by paths that were received or may be swapped: every step is taken from the descriptor of a directory,
and none follows a symbolic link. So whatever a path says, it stays in its tree.

A path is bytes: the name of a tree, then names separated by slashes, however long and deep.
"""

from __future__ import annotations

import errno
import os
import sys
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..errors import CopyError
from . import system
from .blocks import BLOCK, BLOCKS_IN_CHUNK, CHUNK
from .entry import Stat, shown

MAXIMUM_PATH = 1 << 16
FROZEN = 0
_MAXIMUM_NAME = 255
_OPEN_DIRECTORIES = 128
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_VANISHED = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE})


class Trees:
    """The trees of a move on this grid, by name."""

    def __init__(self, paths: Mapping[str, Path], frozen: Collection[str] = ()) -> None:
        """`frozen` names those that are snapshots: nothing changes in them, and each has a device number of its own,
        which says nothing."""
        self.names = tuple(sorted(os.fsencode(name) for name in paths))
        self._tops: dict[bytes, int] = {}
        self._directories: OrderedDict[bytes, int] = OrderedDict()
        self._telling: dict[int, bool] = {}
        try:
            for name, path in paths.items():
                self._tops[os.fsencode(name)] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self.close()
            raise CopyError(f"The tree {name} cannot be opened: {error.strerror}: {path}") from error
        self._frozen = {os.fstat(self._tops[os.fsencode(name)]).st_dev for name in frozen}

    def close(self) -> None:
        self.forget()
        for descriptor in self._tops.values():
            os.close(descriptor)
        self._tops.clear()

    def forget(self) -> None:
        """Look every directory up anew from now on."""
        for descriptor in self._directories.values():
            os.close(descriptor)
        self._directories.clear()

    def checked(self, path: bytes) -> bytes:
        """`path`, if it can be the path of an entry of these trees. Raises CopyError."""
        tree, *names = path.split(b"/")
        if tree not in self._tops or len(path) > MAXIMUM_PATH or b"\0" in path:
            raise CopyError(f"The other grid named a path of no tree, or one that is too long: {shown(path[:200])}")
        if any(name in (b"", b".", b"..") or len(name) > _MAXIMUM_NAME for name in names):
            raise CopyError(f"The other grid named a path that leads nowhere: {shown(path[:200])}")
        return path

    def directory(self, path: bytes) -> int:
        """A descriptor of a directory, which stays this object's. Raises OSError."""
        if path in self._tops:
            return self._tops[path]
        if path in self._directories:
            self._directories.move_to_end(path)
            return self._directories[path]
        above, missing = self._nearest(path)
        for name in missing:
            parent = self.directory(above)
            above += b"/" + name
            self._directories[above] = os.open(name, _DIRECTORY, dir_fd=parent)
            if len(self._directories) > _OPEN_DIRECTORIES:
                os.close(self._directories.popitem(last=False)[1])
        return self._directories[path]

    def place(self, path: bytes) -> tuple[int, bytes]:
        """The descriptor of the directory that an entry is in, and its name there. Raises OSError."""
        above, _, name = path.rpartition(b"/")
        return self.directory(above), name

    def proc_path(self, path: bytes) -> bytes | int:
        """An entry as functions take it that have no `dir_fd`; the top of a tree as its descriptor."""
        if path in self._tops:
            return self._tops[path]
        directory, name = self.place(path)
        return b"/proc/self/fd/%d/%b" % (directory, name)

    def stat(self, found: os.stat_result) -> Stat:
        """What lstat found, as it is compared with what it finds another time."""
        return Stat.of(found, FROZEN if found.st_dev in self._frozen else found.st_dev)

    def lstat(self, path: bytes) -> Stat | None:
        """What there is at a path, None if nothing."""
        found = self.find(path)
        return None if found is None else self.stat(found)

    def find(self, path: bytes) -> os.stat_result | None:
        """What lstat says, None if there is nothing."""
        try:
            if path in self._tops:
                return os.fstat(self._tops[path])
            directory, name = self.place(path)
            return os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno in _VANISHED:
                return None
            raise

    def read_link(self, path: bytes) -> bytes:
        """Where a symbolic link leads to. Raises OSError."""
        directory, name = self.place(path)
        return os.readlink(name, dir_fd=directory)

    def open_file(self, path: bytes, expected: Stat) -> int | None:
        """A descriptor to read a regular file, if it is still the one that lstat saw; else None."""
        directory, name = self.place(path)
        try:
            descriptor = os.open(name, _FILE | os.O_NOATIME, dir_fd=directory)
        except PermissionError:
            descriptor = os.open(name, _FILE, dir_fd=directory)
        found = self.stat(os.fstat(descriptor))
        if found[:2] == expected[:2]:
            return descriptor
        os.close(descriptor)
        return None

    def change_mode(self, path: bytes, mode: int) -> None:
        """Set the mode of what cannot be opened, a device or the like, without following a symbolic link."""
        directory, name = self.place(path)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            os.chmod(b"/proc/self/fd/%d" % descriptor, mode)  # noqa: PTH101
        finally:
            os.close(descriptor)

    def remove_directory(self, path: bytes) -> None:
        """Remove a directory with all that is in it. Raises OSError."""
        pending, found = [path], list[bytes]()
        while pending:
            found.append(pending.pop())
            pending += self._empty(found[-1])
        for directory in reversed(found):
            self.forget()
            above, name = self.place(directory)
            os.rmdir(name, dir_fd=above)

    def _empty(self, path: bytes) -> list[bytes]:
        """Remove all that is in a directory, other than directories, which are returned."""
        descriptor = self.directory(path)
        with self._entries(path) as entries:
            names = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_directory in names:
            if not is_directory:
                os.unlink(name, dir_fd=descriptor)
        return [path + b"/" + name for name, is_directory in names if is_directory]

    def scan(self) -> dict[bytes, os.stat_result]:
        """What lstat says of every entry. What comes and goes meanwhile may be missing."""
        found: dict[bytes, os.stat_result] = {}
        for name in self.names:
            found |= self.scan_tree(name)
        return found

    def scan_tree(self, name: bytes) -> dict[bytes, os.stat_result]:
        """The same for one tree."""
        self.forget()
        found = {name: os.fstat(self._tops[name])}
        pending = [name]
        while pending:
            pending += self._scan_directory(pending.pop(), found)
        return found

    def synchronize(self) -> None:
        """Write the file systems of all trees that may change to their devices. Raises OSError."""
        done = set()
        for descriptor in self._tops.values():
            device = os.fstat(descriptor).st_dev
            if device not in done and device not in self._frozen:
                system.sync_file_system(descriptor)
                done.add(device)

    def telling(self, device: int) -> bool:
        """Whether ctime tells of stores on a device, as far as its file system holds a top and so was synchronized."""
        if device == FROZEN:
            return True
        if not self._telling:
            for descriptor in self._tops.values():
                self._telling[os.fstat(descriptor).st_dev] = system.ctime_tells_of_stores(descriptor)
        return self._telling.get(device, False)

    def _nearest(self, path: bytes) -> tuple[bytes, list[bytes]]:
        """The nearest directory above `path` that is open, and the names from there."""
        above, missing = path, list[bytes]()
        while above not in self._tops and above not in self._directories:
            above, slash, name = above.rpartition(b"/")
            if not slash:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            missing.append(name)
        return above, missing[::-1]

    @contextmanager
    def _entries(self, path: bytes) -> Iterator[Iterator[os.DirEntry[str]]]:
        """What is in a directory. It is opened anew: btrfs may not show what came later than the descriptor."""
        descriptor = os.open(b".", _DIRECTORY, dir_fd=self.directory(path))
        try:
            with os.scandir(descriptor) as entries:
                yield entries
        finally:
            os.close(descriptor)

    def _scan_directory(self, path: bytes, found: dict[bytes, os.stat_result]) -> Iterable[bytes]:
        """Add what is in a directory; returns the directories in it."""
        below = []
        with IgnoreVanished(), self._entries(path) as entries:
            for entry in entries:
                inner = path + b"/" + entry.name.encode(_ENCODING, _ERRORS)
                try:
                    found[inner] = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    below.append(inner)
        return below


class IgnoreVanished:
    """A context in which it is no error that an entry vanished or became something else while it was looked at."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        return isinstance(error, OSError) and error.errno in _VANISHED


def chunks_with_data(descriptor: int, size: int, only: Iterable[int] | None = None) -> Iterator[tuple[int, int]]:
    """The chunks of a file that are not all hole, of `only` some: number, and the blocks that are not, as bits."""
    if only is None:
        yield from _chunks(_segments(descriptor, 0, size))
        return
    for number in sorted(only):
        yield from _chunks(_segments(descriptor, number * CHUNK, min((number + 1) * CHUNK, size)))


def _chunks(segments: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    number, bits = 0, 0
    for start, end in segments:
        block, last = start // BLOCK, (end - 1) // BLOCK
        while block <= last:
            if block // BLOCKS_IN_CHUNK != number:
                if bits:
                    yield number, bits
                number, bits = block // BLOCKS_IN_CHUNK, 0
            within = block % BLOCKS_IN_CHUNK
            count = min(last - block + 1, BLOCKS_IN_CHUNK - within)
            bits |= ((1 << count) - 1) << within
            block += count
    if bits:
        yield number, bits


def chunk_length(number: int, size: int) -> int:
    """How long a chunk of a file of this size is."""
    return max(0, min(CHUNK, size - number * CHUNK))


def _segments(descriptor: int, end: int, stop: int) -> Iterator[tuple[int, int]]:
    """The parts of a file from `end` to `stop` that are no holes. The search waits for a write under way."""
    while end < stop:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), stop)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if start >= stop:
            return
        yield start, end
