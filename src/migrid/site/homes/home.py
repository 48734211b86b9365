"""What one user does with the files of the home: the door of the web portal, WebDAV and FTPS.

Paths are text as a user writes it, or names; `paths` says what is a name, `beneath` where a path leads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from io import BufferedReader, BufferedWriter
from types import TracebackType
from typing import NamedTuple

from .beneath import Beneath
from .copying import copy
from .entries import Entry, entry_of
from .errors import FileError, Kind, errors_of
from .files import open_for_reading, open_for_writing
from .handles import Place, opened_directory
from .paths import RESERVED, Names, is_partial, parse, partial_name
from .removal import remove_any
from .system import rename_new
from .trash import Trash
from .upload import Replacement, Upload
from .walk import walk

Path = str | Sequence[str]


class Space(NamedTuple):
    """Bytes of the file system, or of the quota where the file system reports one."""

    free: int
    total: int


class Usage(NamedTuple):
    """What is in a home, with the trash."""

    files: int
    bytes: int


class Home:
    """One user's home, as an open handle, which it closes: a context manager. Methods raise FileError.

    Several threads can use it at once.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._beneath = Beneath(handle)
        self.trash = Trash(self._beneath)

    def __enter__(self) -> Home:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._handle)

    def listing(self, path: Path = ()) -> dict[str, Entry]:
        """What is in a directory, by name, in no order."""
        names = parse(path)
        with self._beneath.reading(names) as place, opened_directory(place.name, place.directory) as directory:
            hidden = RESERVED if self._beneath.is_top(os.fstat(directory)) else frozenset()
            with os.scandir(directory) as found:
                entries = (self._listed(entry, names) for entry in found if entry.name not in hidden)
                return {entry.name: entry for entry in entries if entry and not is_partial(entry.name)}

    def stat(self, path: Path) -> Entry:
        """What the path leads to, under the path's last name."""
        return self._stat(parse(path))

    def open(self, path: Path) -> BufferedReader:
        """A file, open for reading."""
        names = parse(path)
        with self._beneath.reading(names) as place:
            return open_for_reading(place, names)

    def create(self, path: Path) -> Upload:
        """A new file, where nothing is."""
        return Upload(self._beneath, parse(path))

    def replace(self, path: Path) -> Upload:
        """A new file, which takes the place of one that is there."""
        return Replacement(self._beneath, parse(path))

    def resume(self, path: Path, offset: int) -> BufferedWriter:
        """A file that is there, open for writing from an offset on, which is not beyond its end.

        What is written is seen at once, and stays when the writing is interrupted.
        """
        names = parse(path)
        with self._beneath.changing(names) as place:
            file = open_for_writing(place, names)
            size = os.fstat(file.fileno()).st_size
            if not 0 <= offset <= size:
                file.close()
                raise FileError(Kind.NOT_ALLOWED, names, f"has {size} bytes; writing cannot go on at {offset}")
            file.seek(offset)
            return file

    def make_directory(self, path: Path) -> None:
        """Make a directory, where nothing is."""
        with self._beneath.changing(parse(path)) as place:
            os.mkdir(place.name, dir_fd=place.directory)

    def move(self, source: Path, target: Path) -> None:
        """Give a file or directory another path, where nothing is; a link is moved as a link."""
        names, new_names = parse(source), parse(target)
        with self._beneath.changing(names) as old:
            os.lstat(old.name, dir_fd=old.directory)
            with self._beneath.changing(new_names) as new:
                rename_new(old, new)

    def set_modified(self, path: Path, seconds: float) -> None:
        """Say when a file or directory was modified, in seconds since 1970; of a link, it is the link's own time."""
        with self._beneath.changing(parse(path)) as place:
            os.utime(place.name, (seconds, seconds), dir_fd=place.directory, follow_symlinks=False)

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file, or a directory with all that is in it, to where nothing is; it appears when it is complete.

        A link below a directory is copied as a link; special files are left out.
        """
        names, new_names = parse(source), parse(target)
        with self._beneath.reading(names) as old, self._beneath.changing(new_names) as new:
            if self._beneath.is_top(os.lstat(old.name, dir_fd=old.directory)):
                raise FileError(Kind.NOT_ALLOWED, names, "is the home itself, which has no place in itself")
            copy(old, new, names)

    @contextmanager
    def making_room(self, path: Path) -> Iterator[None]:
        """Have what is at the path out of the way in the block: afterwards it is gone for good.

        When the block fails it is back, unless something else has taken its place.
        """
        with self._beneath.changing(parse(path)) as place:
            aside = Place(place.directory, partial_name())
            try:
                rename_new(place, aside)
            except FileNotFoundError:
                yield
                return
            try:
                yield
            except BaseException:
                with suppress(FileExistsError):
                    rename_new(aside, place)
                raise
            remove_any(aside.name, aside.directory)

    def remove(self, path: Path) -> None:
        """Remove a file, or a directory with all that is in it, for good. A link is removed, not what it leads to."""
        with self._beneath.changing(parse(path)) as place:
            remove_any(place.name, place.directory)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        with self._beneath.changing(parse(path)) as place:
            os.rmdir(place.name, dir_fd=place.directory)

    def delete(self, path: Path) -> str:
        """Move a file or directory to the trash: the identifier that it has there. The trash is on the same disk."""
        return self.trash.put(parse(path))

    def space(self) -> Space:
        """How much more can be stored."""
        with errors_of(()):
            found = os.fstatvfs(self._handle)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def usage(self) -> Usage:
        """How much is stored. Directories that their owner cannot read are not counted."""
        statuses = (status for _, found in walk(self._handle) for status in found.values())
        sizes = [status.st_size for status in statuses if stat.S_ISREG(status.st_mode)]
        return Usage(len(sizes), sum(sizes))

    def tidy(self, before: datetime) -> None:
        """Empty the trash of what was deleted before a time, and remove what an upload or copy that was killed left."""
        self.trash.empty(before)
        with errors_of(()):
            for directory, found in walk(self._handle):
                for name, status in found.items():
                    if is_partial(name) and status.st_mtime < before.timestamp():
                        remove_any(name, directory)

    def _stat(self, names: Names) -> Entry:
        with self._beneath.reading(names) as place:
            status = os.lstat(place.name, dir_fd=place.directory)
            return entry_of(names[-1] if names else "", status)

    def _listed(self, found: os.DirEntry[str], names: Names) -> Entry | None:
        """The entry; None when it is gone by now."""
        try:
            status = found.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(status.st_mode):
            with suppress(FileError):
                return self._stat((*names, found.name))
        return entry_of(found.name, status)
