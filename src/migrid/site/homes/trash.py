"""The trash of a home: what was deleted can come back, until the trash is emptied.

`.trash` is laid out as the FreeDesktop.org Trash specification 1.0 has it: what was deleted lies in `files` under a
name of its own, and `info` has a file NAME.trashinfo that says where it came from (percent-encoded) and when, in UTC.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .beneath import Beneath
from .entries import EntryKind, kind_of
from .errors import FileError, Kind, errors_of
from .files import open_for_reading, open_new
from .handles import Place, opened_directory
from .paths import TRASH, Names, parse
from .removal import remove_any, unlink_if_there
from .system import rename_new

_FILES = "files"
_INFO = "info"
_SUFFIX = ".trashinfo"
_IDENTIFIER = re.compile(r"[0-9a-f]{16}")
_RECORD_FORMAT = b"[Trash Info]\nPath=%b\nDeletionDate=%b\n"
_RECORD = re.compile(re.escape(_RECORD_FORMAT).replace(b"%b", b"([!-~]+)"))
_RECORD_BYTES = 1 << 20
_HERE = (TRASH,)
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Trashed:
    """Something in the trash: `names` is the path where it was."""

    identifier: str
    names: Names
    deleted: datetime
    kind: EntryKind
    size: int


class Trash:
    """The trash of one home. Methods raise FileError."""

    def __init__(self, beneath: Beneath) -> None:
        self._beneath = beneath

    def put(self, names: Names) -> str:
        """Move a file or directory to the trash: the identifier that it has there."""
        with self._beneath.changing(names) as place:
            os.lstat(place.name, dir_fd=place.directory)
            with self._opened() as (files, info):
                return _put(place, names, files, info)

    def items(self) -> list[Trashed]:
        """What can come back, the oldest first."""
        with self._opened() as (files, info):
            return sorted(_items(files, info), key=lambda item: item.deleted)

    def restore(self, identifier: str) -> Names:
        """Move something back to where it was, which must be free: its path."""
        with self._opened() as (files, info), errors_of(_HERE):
            item = _read(identifier, files, info) if _IDENTIFIER.fullmatch(identifier) else None
            if item is None:
                raise FileError(Kind.NOT_FOUND, (TRASH, identifier), "is not in the trash")
            with self._beneath.changing(item.names) as place:
                rename_new(Place(files, identifier), place)
            unlink_if_there(identifier + _SUFFIX, info)
        return item.names

    def empty(self, before: datetime = _END_OF_TIME) -> None:
        """Remove for good what was deleted before a time; of what has no record, what was put there before it."""
        if not self._is_there():
            return
        with self._opened() as (files, info), errors_of(_HERE):
            known = {item.identifier: item.deleted for item in _items(files, info)}
            for directory in (files, info):
                for name in _names(directory):
                    with suppress(FileNotFoundError):
                        if (known.get(name.removesuffix(_SUFFIX)) or _changed(name, directory)) < before:
                            remove_any(name, directory)

    def _is_there(self) -> bool:
        with errors_of(_HERE):
            try:
                os.lstat(TRASH, dir_fd=self._beneath.top)
            except FileNotFoundError:
                return False
        return True

    @contextmanager
    def _opened(self) -> Iterator[tuple[int, int]]:
        """The directories of what was deleted and of the records; made if need be."""
        with ExitStack() as stack:
            with errors_of(_HERE):
                trash = stack.enter_context(_made_directory(TRASH, self._beneath.top))
                files = stack.enter_context(_made_directory(_FILES, trash))
                info = stack.enter_context(_made_directory(_INFO, trash))
            yield files, info


@contextmanager
def _made_directory(name: str, parent: int) -> Iterator[int]:
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    with opened_directory(name, parent) as directory:
        yield directory


def _put(place: Place, names: Names, files: int, info: int) -> str:
    identifier = secrets.token_hex(8)
    record = identifier + _SUFFIX
    try:
        with open_new(Place(info, record), names) as file:
            path = quote_from_bytes(os.fsencode("/".join(names))).encode()
            file.write(_RECORD_FORMAT % (path, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}".encode()))
        os.rename(place.name, identifier, src_dir_fd=place.directory, dst_dir_fd=files)
    except BaseException:
        unlink_if_there(record, info)
        raise
    return identifier


def _items(files: int, info: int) -> Iterator[Trashed]:
    for name in _names(info):
        identifier = name.removesuffix(_SUFFIX)
        if _IDENTIFIER.fullmatch(identifier) and (item := _read(identifier, files, info)):
            yield item


def _read(identifier: str, files: int, info: int) -> Trashed | None:
    """What has this identifier; None when it is gone, or its record cannot be read: users can write what they like."""
    try:
        status = os.lstat(identifier, dir_fd=files)
        with open_for_reading(Place(info, identifier + _SUFFIX), _HERE) as file:
            match = _RECORD.fullmatch(file.read(_RECORD_BYTES))
        if not match:
            return None
        names = parse(os.fsdecode(unquote_to_bytes(match[1])))
        deleted = datetime.fromisoformat(match[2].decode()).replace(tzinfo=UTC)
    except (OSError, FileError, ValueError):
        return None
    return Trashed(identifier, names, deleted, kind_of(status), status.st_size)


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as found:
        return [entry.name for entry in found]


def _changed(name: str, directory: int) -> datetime:
    return datetime.fromtimestamp(os.lstat(name, dir_fd=directory).st_ctime, UTC)
