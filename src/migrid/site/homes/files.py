"""Regular files at a place, open for reading or writing; nothing else is opened, and nothing blocks."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from .entries import EntryKind, kind_of
from .errors import FileError, Kind, errors_of
from .handles import NEW_FILE, Place
from .paths import Names

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_REGULAR = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_for_reading(place: Place, names: Names) -> io.BufferedReader:
    """The file. Raises FileError for what is no regular file."""
    return io.BufferedReader(_File(_open_regular(place, os.O_RDONLY, names), "rb", names))


def open_for_writing(place: Place, names: Names) -> io.BufferedWriter:
    """The file as it is, at its start. Raises FileError for what is no regular file."""
    return io.BufferedWriter(_File(_open_regular(place, os.O_WRONLY, names), "wb", names))


def open_new(place: Place, names: Names) -> io.BufferedWriter:
    """A new file. Raises FileError."""
    with errors_of(names):
        return io.BufferedWriter(_File(os.open(place.name, NEW_FILE, 0o666, dir_fd=place.directory), "wb", names))


def refuse_all_but_files(status: os.stat_result, names: Names) -> None:
    """Raise FileError for what is no regular file."""
    kind = kind_of(status)
    if kind != EntryKind.FILE:
        raise FileError(Kind.NOT_A_FILE, names, f"is not a file: {_DESCRIPTIONS[kind]}")


def _open_regular(place: Place, flags: int, names: Names) -> int:
    """Looked at before, since opening a device can do something, and after, since it may be another one by then.

    Without O_NONBLOCK a FIFO would hold the caller until somebody opens its other end.
    """
    with errors_of(names):
        refuse_all_but_files(os.lstat(place.name, dir_fd=place.directory), names)
        descriptor = os.open(place.name, flags | _REGULAR, dir_fd=place.directory)
        try:
            refuse_all_but_files(os.fstat(descriptor), names)
            os.set_blocking(descriptor, True)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


class _File(io.FileIO):
    """An open file whose errors are FileError."""

    def __init__(self, descriptor: int, mode: str, names: Names) -> None:
        super().__init__(descriptor, mode)
        self._names = names

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        with errors_of(self._names):
            return super().readinto(buffer)

    def readall(self) -> bytes | None:  # type: ignore[override]
        with errors_of(self._names):
            return super().readall()

    def write(self, data: ReadableBuffer, /) -> int | None:  # type: ignore[override]
        with errors_of(self._names):
            return super().write(data)


_DESCRIPTIONS = {
    EntryKind.DIRECTORY: "it is a directory",
    EntryKind.LINK: "it is a symbolic link",
    EntryKind.SPECIAL: "it is a FIFO, a socket or a device",
}
