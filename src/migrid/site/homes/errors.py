"""What can go wrong with the files of one user, in kinds that a protocol can map to its own codes."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

from ..errors import HomeError, shown


class Kind(StrEnum):
    NOT_FOUND = "not found"
    EXISTS = "exists"
    NOT_ALLOWED = "not allowed"
    NOT_A_FILE = "not a file"
    NOT_A_DIRECTORY = "not a directory"
    NOT_EMPTY = "not empty"
    NO_SPACE = "no space"
    NAME_TOO_LONG = "name too long"
    DAMAGED = "damaged"


class FileError(HomeError):
    """An operation on a user's files was refused or failed."""

    def __init__(self, kind: Kind, names: Sequence[str], problem: str) -> None:
        self.kind = kind
        super().__init__(f"{shown('/' + '/'.join(names))} {problem}")


_REASONS = {
    errno.ENOENT: (Kind.NOT_FOUND, "does not exist"),
    errno.ESTALE: (Kind.NOT_FOUND, "does not exist any more"),
    errno.EEXIST: (Kind.EXISTS, "exists already"),
    errno.EACCES: (Kind.NOT_ALLOWED, "is not accessible: its mode forbids it"),
    errno.EPERM: (Kind.NOT_ALLOWED, "cannot be changed: the system forbids it"),
    errno.EROFS: (Kind.NOT_ALLOWED, "cannot be changed: the file system is read-only"),
    errno.EXDEV: (Kind.NOT_ALLOWED, "lies in another file system; copy it, then remove it for good"),
    errno.EINVAL: (Kind.NOT_ALLOWED, "does not allow that; nothing can be moved into itself"),
    errno.EBUSY: (Kind.NOT_ALLOWED, "is in use by the system"),
    errno.ETXTBSY: (Kind.NOT_ALLOWED, "is in use by a running program"),
    errno.EMLINK: (Kind.NOT_ALLOWED, "has as many directories as the file system allows"),
    errno.EISDIR: (Kind.NOT_A_FILE, "is a directory"),
    errno.ENXIO: (Kind.NOT_A_FILE, "is neither a file nor a directory"),
    errno.ELOOP: (Kind.NOT_A_FILE, "is a symbolic link"),
    errno.ENOTDIR: (Kind.NOT_A_DIRECTORY, "is not a directory, or lies in what is none"),
    errno.ENOTEMPTY: (Kind.NOT_EMPTY, "is not empty"),
    errno.ENOSPC: (Kind.NO_SPACE, "does not fit: the file system is full"),
    errno.EDQUOT: (Kind.NO_SPACE, "does not fit: the quota is used up"),
    errno.EFBIG: (Kind.NO_SPACE, "is larger than the file system allows"),
    errno.ENAMETOOLONG: (Kind.NAME_TOO_LONG, "has a name that is too long"),
}


@contextmanager
def errors_of(names: Sequence[str]) -> Iterator[None]:
    """Turn the system's errors in the block into FileError."""
    try:
        yield
    except OSError as error:
        kind, problem = _REASONS.get(error.errno or 0, (Kind.DAMAGED, f"cannot be used: {error.strerror}"))
        raise FileError(kind, names, problem) from error
