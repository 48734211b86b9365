"""Removal of what is in a home, however deep it is and whatever its modes are. No symbolic link is followed."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress

from .handles import HANDLE, closing, opened_directory


def remove_any(name: str, parent: int) -> None:
    """Remove a file, a link, a special file, or a directory with all that is in it."""
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        remove_tree(name, parent)


def remove_tree(name: str, parent: int) -> None:
    """Remove a directory and all that is in it."""
    _make_accessible(name, parent)
    with opened_directory(name, parent) as directory:
        _empty(directory)
    os.rmdir(name, dir_fd=parent)


def unlink_if_there(name: str, parent: int) -> None:
    """Remove what is no directory."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=parent)


def _empty(top: int) -> None:
    """Remove all that is in a directory, without recursion: each directory found is first moved up into `top`."""
    token = secrets.token_hex(8)
    names = (f".removed-{token}-{number}" for number in itertools.count())
    pending = _clear(top, top, names)
    while pending:
        name = pending.pop()
        with opened_directory(name, top) as directory:
            pending += _clear(directory, top, names)
        os.rmdir(name, dir_fd=top)


def _clear(directory: int, top: int, names: Iterator[str]) -> list[str]:
    """Unlink the files of a directory and move its directories to `top`; the names they have there."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    moved = []
    for name, is_directory in found:
        if is_directory:
            _make_accessible(name, directory)
            moved.append(next(names))
            os.rename(name, moved[-1], src_dir_fd=directory, dst_dir_fd=top)
        else:
            unlink_if_there(name, directory)
    return moved


def _make_accessible(name: str, parent: int) -> None:
    """Give the owner all rights to a directory, which need not be readable to be opened with O_PATH."""
    with closing(os.open(name, HANDLE, dir_fd=parent)) as directory:
        if os.fstat(directory).st_mode & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{directory}", 0o700)  # noqa: PTH101  (no path of the file system)
