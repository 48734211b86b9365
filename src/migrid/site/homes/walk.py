"""All directories of a home, one after the other, however deep."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from .beneath import open_plain
from .handles import DIRECTORY, closing
from .paths import Names


def walk(top: int) -> Iterator[tuple[int, dict[str, os.stat_result]]]:
    """Each directory, open until the next one is asked for, and what is in it.

    No link is followed. A directory that cannot be read, or is gone by now, is left out.
    """
    pending: list[Names] = [()]
    while pending:
        names = pending.pop()
        with suppress(OSError), closing(open_plain(top, names, DIRECTORY)) as directory:
            found = _statuses(directory)
            pending += [(*names, name) for name, status in found.items() if stat.S_ISDIR(status.st_mode)]
            yield directory, found


def _statuses(directory: int) -> dict[str, os.stat_result]:
    found = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found[entry.name] = entry.stat(follow_symlinks=False)
    return found
