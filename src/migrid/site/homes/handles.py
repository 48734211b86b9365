"""How directories and files are opened by one name in an open directory: never through a symbolic link."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

HANDLE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(NamedTuple):
    """A name in an open directory: what every operation acts on."""

    directory: int
    name: str


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """The open descriptor for a block, at whose end it is closed."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_directory(name: str, parent: int) -> Iterator[int]:
    """A directory, open for listing."""
    with closing(os.open(name, DIRECTORY, dir_fd=parent)) as directory:
        yield directory
