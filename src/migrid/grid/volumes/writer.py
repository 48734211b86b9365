"""How what was sent gets into the trees of the target. Nothing that was sent is believed: paths are followed as `Trees`
does, numbers are checked, and what the kernel refuses ends the copy.

The order matters: a change of owner takes away setuid bits and file capabilities, an ACL changes the mode, and every
change in a directory moves its time. So a file gets content, owner, attributes, mode and times in this order, and
directories get theirs when all is in them.
"""

from __future__ import annotations

import os
import secrets
import stat as modes
from collections.abc import Callable
from contextlib import suppress

from ..errors import CopyError
from . import attributes, system
from .blocks import BLOCKS_IN_CHUNK, CHUNK, ZEROS, block_range, content_digest, forget_beyond, merge, runs
from .entry import Entry, shown
from .messages import Data
from .plan import Base
from .state import Held
from .trees import Trees

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_AT_ONCE = 32 << 20


class Writer:
    """The changes of one round. `tear` is called before the first. What the trees hold is in `held` at any moment,
    except for what directories and a file under way still lack: these count as unsettled until they have it."""

    def __init__(self, trees: Trees, held: dict[bytes, Held], tear: Callable[[], None]) -> None:
        self._trees, self._held, self._tear = trees, held, tear
        self._token = b".migrid-" + secrets.token_hex(8).encode()
        self._staged: list[tuple[bytes, Held]] = []
        self._directories: dict[bytes, bytes] = {}
        self._parents: set[bytes] = set()
        self._touched: set[bytes] = set()
        self._gone: set[bytes] = set()
        self._file: _File | None = None
        self.changed = False

    def stage(self, path: bytes) -> None:
        """Put a file aside under a name of its own, so that its path may become another's."""
        held = self._held.get(path)
        if held is None or not held.entry.leads or not held.entry.stat.is_file:
            raise CopyError(f"The other grid named a file that is not here: {shown(path)}")
        self._begin()
        tree = path.partition(b"/")[0]
        with suppress(FileExistsError):
            os.mkdir(self._token, 0o700, dir_fd=self._trees.directory(tree))
        name = self._staged_path(tree, len(self._staged))
        self._link(path, name)
        self._staged.append((name, held))

    def remove(self, path: bytes) -> None:
        """Remove an entry with all that is in it; that it is not there is no error."""
        self._begin()
        self._remove(self._trees.checked(path))
        self._drop(path)

    def send(self, base: int, staged: int, encoded: bytes, entry: Entry) -> None:
        """Make an entry; a file is complete only after `end`."""
        self._begin()
        self._check(entry)
        entry.attributes = attributes.digest(encoded)
        if not entry.leads:
            self._make_link(entry)
        elif entry.stat.is_directory:
            self._make_directory(entry, encoded)
        elif entry.stat.is_file:
            self._open(base, staged, encoded, entry)
        else:
            self._make_special(entry, encoded)

    def data(self, data: Data) -> None:
        """Write blocks of the file under way."""
        self._current().data(data)

    def hole(self, number: int) -> None:
        """Make a chunk of the file under way a hole."""
        self._current().hole(number)

    def end(self, size: int, settled: bool, digest: bytes) -> None:
        """Complete the file under way."""
        file, self._file = self._current(), None
        with file:
            file.finish(size, settled, digest)

    def finish(self) -> None:
        """Give the directories what they lack, when all entries have come."""
        if self._file is not None:
            raise CopyError("The other grid ended the round in the middle of a file.")
        self._remove_staged()
        for path in sorted(self._parents | self._directories.keys(), reverse=True):
            held = self._held.get(path)
            if held is not None and held.entry.stat.is_directory:
                self._complete_directory(path, held.entry)
        for path in self._touched | self._parents | self._directories.keys():
            self._note(path)

    @property
    def altered(self) -> set[bytes]:
        """The paths at which something changed, or went."""
        return self._touched | self._parents | self._directories.keys() | self._gone

    def suspend(self) -> None:
        """End a round whose rest will not come: from here on everything is known as it is, though not complete."""
        under_way = self._file and self._file.path
        self.abandon()
        self._remove_staged()
        for path in self._touched - {under_way}:
            self._note(path)

    def abandon(self) -> None:
        """Give back what a round that broke has open."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        if self._file is not None:
            raise CopyError("The other grid began an entry in the middle of a file.")
        if not self.changed:
            self.changed = True
            self._tear()

    def _current(self) -> _File:
        if self._file is None:
            raise CopyError("The other grid sent content of no file.")
        return self._file

    def _check(self, entry: Entry) -> None:
        path = self._trees.checked(entry.path)
        tree = path.partition(b"/")[0]
        if path == tree and not entry.stat.is_directory:
            raise CopyError(f"The other grid sent a top of a tree that is no directory: {shown(path)}")
        if path.startswith(tree + b"/" + self._token):
            raise CopyError(f"The other grid sent an entry where files are put aside: {shown(path)}")
        if not entry.leads and self._trees.checked(entry.leader).partition(b"/")[0] != tree:
            raise CopyError(f"The other grid sent a hard link that leaves its tree: {shown(path)}")

    def _staged_path(self, tree: bytes, number: int) -> bytes:
        return b"%b/%b/%d" % (tree, self._token, number)

    def _link(self, path: bytes, name: bytes) -> None:
        """Give a file one more name."""
        origin, old = self._trees.place(path)
        origin = os.dup(origin)
        try:
            directory, new = self._trees.place(name)
            os.link(old, new, src_dir_fd=origin, dst_dir_fd=directory, follow_symlinks=False)
        finally:
            os.close(origin)
        self._parents.add(name.rpartition(b"/")[0])

    def _remove(self, path: bytes) -> None:
        """Remove what there is at a path, not its record."""
        found = self._trees.lstat(path)
        if found is None:
            return
        above = path.rpartition(b"/")[0]
        if not above:
            raise CopyError(f"The other grid asked to remove a whole tree: {shown(path)}")
        self._parents.add(above)
        if found.is_directory:
            self._trees.remove_directory(path)
        else:
            directory, name = self._trees.place(path)
            os.unlink(name, dir_fd=directory)
        self._trees_changed(path)

    def _trees_changed(self, path: bytes) -> None:
        """The further names of a file that lost one have a new ctime."""
        held = self._held.get(path)
        if held is not None and not held.entry.leads:
            self._touched.add(held.entry.leader)

    def _drop(self, path: bytes) -> None:
        """Forget what was at a path and below."""
        held = self._held.pop(path, None)
        if held is None:
            return
        self._gone.add(path)
        if held.entry.stat.is_directory:
            below = path + b"/"
            for inner in [inner for inner in self._held if inner.startswith(below)]:
                del self._held[inner]
                self._gone.add(inner)

    def _replace(self, entry: Entry) -> tuple[int, bytes]:
        """Make room for an entry; returns its place."""
        self._remove(entry.path)
        self._drop(entry.path)
        self._parents.add(entry.path.rpartition(b"/")[0])
        return self._trees.place(entry.path)

    def _arrived(self, entry: Entry) -> None:
        self._held[entry.path] = Held(entry)
        self._touched.add(entry.path)

    def _make_link(self, entry: Entry) -> None:
        leader = self._held.get(entry.leader)
        if leader is None or not leader.entry.leads or leader.entry.stat.is_directory:
            raise CopyError(f"The other grid sent a hard link to what is not here: {shown(entry.path)}")
        there, here = self._trees.lstat(entry.leader), self._trees.lstat(entry.path)
        if there is None or here is None or there.ino != here.ino:
            self._replace(entry)
            self._link(entry.leader, entry.path)
        self._touched.add(entry.leader)
        self._arrived(entry)

    def _make_directory(self, entry: Entry, encoded: bytes) -> None:
        found = self._trees.lstat(entry.path)
        if found is None or not found.is_directory:
            directory, name = self._replace(entry)
            os.mkdir(name, 0o700, dir_fd=directory)
        self._directories[entry.path] = encoded
        self._arrived(entry)

    def _make_special(self, entry: Entry, encoded: bytes) -> None:
        directory, name = self._replace(entry)
        if entry.stat.is_link:
            os.symlink(entry.target, name, dir_fd=directory)
        else:
            os.mknod(name, modes.S_IFMT(entry.stat.mode) | 0o600, entry.stat.rdev, dir_fd=directory)
        os.chown(name, entry.stat.uid, entry.stat.gid, dir_fd=directory, follow_symlinks=False)
        attributes.write(self._trees.proc_path(entry.path), attributes.decode(encoded))
        if not entry.stat.is_link:
            self._trees.change_mode(entry.path, modes.S_IMODE(entry.stat.mode))
        os.utime(name, ns=(entry.stat.mtime, entry.stat.mtime), dir_fd=directory, follow_symlinks=False)
        self._arrived(entry)

    def _open(self, base: int, staged: int, encoded: bytes, entry: Entry) -> None:
        dirty: dict[int, int] = {}
        if base == Base.NOTHING:
            descriptor = self._create(entry)
        else:
            held = self._base(base, staged, entry)
            entry.content, dirty = held.entry.content, held.dirty
            descriptor = self._open_old(entry.path)
        entry.settled = False
        self._arrived(entry)
        self._held[entry.path].dirty = dirty
        self._file = _File(descriptor, self._held[entry.path], encoded)

    def _create(self, entry: Entry) -> int:
        above, _, name = entry.path.rpartition(b"/")
        try:
            descriptor = os.open(name, _NEW_FILE, 0o600, dir_fd=self._trees.directory(above))
        except FileExistsError:
            directory, name = self._replace(entry)
            return os.open(name, _NEW_FILE, 0o600, dir_fd=directory)
        self._drop(entry.path)
        self._parents.add(above)
        return descriptor

    def _open_old(self, path: bytes) -> int:
        directory, name = self._trees.place(path)
        descriptor = os.open(name, _OLD_FILE, dir_fd=directory)
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise CopyError(f"{shown(path)} is no regular file any more: somebody else writes to the target.")
        return descriptor

    def _base(self, base: int, staged: int, entry: Entry) -> Held:
        """The file that the content is built from, at the path of the entry."""
        if base == Base.SAME:
            held = self._held.get(entry.path)
            if held is None or not held.entry.leads or not held.entry.stat.is_file:
                raise CopyError(f"The other grid changes a file that is not here: {shown(entry.path)}")
            return held
        if base != Base.STAGED or staged >= len(self._staged):
            raise CopyError(f"The other grid builds upon what is not here: {shown(entry.path)}")
        name, held = self._staged[staged]
        there, here = self._trees.lstat(name), self._trees.lstat(entry.path)
        if there is None or here is None or there.ino != here.ino:
            self._replace(entry)
            self._link(name, entry.path)
        return held

    def _remove_staged(self) -> None:
        for tree in {name.partition(b"/")[0] for name, _ in self._staged}:
            self._remove(tree + b"/" + self._token)

    def _complete_directory(self, path: bytes, entry: Entry) -> None:
        descriptor = self._trees.directory(path)
        if path in self._directories:
            complete(descriptor, entry, self._directories[path])
        else:
            os.utime(descriptor, ns=(entry.stat.mtime, entry.stat.mtime))

    def _note(self, path: bytes) -> None:
        """Remember how an entry looks now, so that foreign changes will be noticed."""
        held, found = self._held.get(path), self._trees.lstat(path)
        if held is not None and found is not None:
            held.here, held.touched = (found.ino, found.ctime), True


class _File:
    """A regular file under way."""

    def __init__(self, descriptor: int, held: Held, encoded: bytes) -> None:
        self._descriptor, self._held, self._encoded = descriptor, held, encoded
        self._entry = held.entry
        self._written = 0

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> bytes:
        return self._entry.path

    def close(self) -> None:
        os.close(self._descriptor)

    def data(self, data: Data) -> None:
        start, content = data.number * CHUNK, data.content
        self._held.dirty[data.number] = self._held.dirty.get(data.number, 0) | data.bits
        for run in runs(data.literal):
            first, end = block_range(*run, data.length)
            self._write(content[: end - first], start + first)
            content = content[end - first :]
        for run in runs(data.zeros):
            first, end = block_range(*run, data.length)
            self._write(ZEROS[: end - first], start + first)
        for run in runs(data.holes):
            first, end = block_range(*run, data.length)
            self._punch(start + first, end - first)
        merge(self._entry.content, data.number, data.length, data.bits, data.hashes)

    def hole(self, number: int) -> None:
        if self._entry.content.pop(number, None) is not None:
            self._held.dirty[number] = (1 << BLOCKS_IN_CHUNK) - 1
            self._punch(number * CHUNK, CHUNK)

    def finish(self, size: int, settled: bool, digest: bytes) -> None:
        if os.fstat(self._descriptor).st_size != size:
            os.ftruncate(self._descriptor, size)
        content = self._entry.content
        forget_beyond(content, size)
        if content_digest(content) != digest:
            raise CopyError(f"{shown(self._entry.path)} is not what the other grid says that it sent.")
        self._entry.stat = self._entry.stat._replace(size=size)
        complete(self._descriptor, self._entry, self._encoded)
        self._entry.settled = settled

    def _write(self, content: memoryview, offset: int) -> None:
        done = 0
        while done < len(content):
            done += os.pwrite(self._descriptor, content[done:], offset + done)
        self._written += done
        if self._written >= _WRITE_AT_ONCE:
            self._written = 0
            system.start_writing(self._descriptor, 0, 0)

    def _punch(self, offset: int, length: int) -> None:
        if not system.punch_hole(self._descriptor, offset, length):
            end = min(offset + length, os.fstat(self._descriptor).st_size)
            self._write(ZEROS[: max(0, end - offset)], offset)


def complete(descriptor: int, entry: Entry, encoded: bytes) -> None:
    """Give an open file or directory its owner, attributes, mode and times."""
    os.fchown(descriptor, entry.stat.uid, entry.stat.gid)
    attributes.write(descriptor, attributes.decode(encoded))
    os.fchmod(descriptor, modes.S_IMODE(entry.stat.mode))
    os.utime(descriptor, ns=(entry.stat.mtime, entry.stat.mtime))
