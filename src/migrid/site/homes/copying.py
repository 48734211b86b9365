"""Copies of files and of directories with all that is in them."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress

from .beneath import open_plain
from .entries import EntryKind, kind_of
from .errors import errors_of
from .files import open_for_reading, open_new
from .handles import DIRECTORY, HANDLE, Place, closing, opened_directory
from .paths import Names, is_partial, partial_name
from .removal import remove_any
from .system import rename_new

_CHUNK = 1 << 30


def copy(source: Place, target: Place, names: Names) -> None:
    """Copy what is at a place, under a hidden name until it is complete; nothing is left of a copy that fails.

    Files keep their modes and times. Links below a directory are copied as links. What is special, and what is not
    complete, is no part of the copy. Raises OSError and, with `names` for the source, FileError.
    """
    partial = Place(target.directory, partial_name())
    try:
        if kind_of(os.lstat(source.name, dir_fd=source.directory)) == EntryKind.DIRECTORY:
            _copy_tree(source, partial, names)
        else:
            _copy_file(source, partial, names)
        rename_new(partial, target)
    except BaseException:
        with suppress(FileNotFoundError):
            remove_any(partial.name, partial.directory)
        raise


def _copy_tree(source: Place, target: Place, names: Names) -> None:
    os.mkdir(target.name, dir_fd=target.directory)
    with opened_directory(source.name, source.directory) as old, opened_directory(target.name, target.directory) as new:
        pending: list[Names] = [()]
        while pending:
            below = pending.pop()
            with closing(_opened(old, below, names)) as here, closing(open_plain(new, below, HANDLE)) as there:
                pending += [(*below, name) for name in _copy_directory(here, there, names + below)]


def _opened(source: int, below: Names, names: Names) -> int:
    with errors_of(names + below):
        return open_plain(source, below, DIRECTORY)


def _copy_directory(source: int, target: int, names: Names) -> list[str]:
    """Copy what is in one directory but not what is in its directories, which are made: their names."""
    with os.scandir(source) as found:
        entries = [(entry.name, kind_of(entry.stat(follow_symlinks=False))) for entry in found]
    made = []
    for name, kind in entries:
        if is_partial(name):
            continue
        if kind == EntryKind.DIRECTORY:
            os.mkdir(name, dir_fd=target)
            made.append(name)
        elif kind == EntryKind.LINK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif kind == EntryKind.FILE:
            _copy_file(Place(source, name), Place(target, name), (*names, name))
    return made


def _copy_file(source: Place, target: Place, names: Names) -> None:
    with open_for_reading(source, names) as old, open_new(target, names) as new:
        status = os.fstat(old.fileno())
        try:
            while os.copy_file_range(old.fileno(), new.fileno(), _CHUNK):
                pass
        except OSError:
            old.seek(0)
            new.seek(0)
            shutil.copyfileobj(old, new)
            new.flush()
        os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
        os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
