"""Files that must never be seen half, and directories that one process at a time works in."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECRET_BYTES = 32


def write_new(path: Path, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Write a new file, which the caller then renames over the live one, with its owner and mode, so that it survives a
    power cut. What a crash left there is removed.

    ``mode`` is the number that chmod takes; an id of -1 is the caller's. No symbolic link is followed, and until the
    content is complete nobody else can read it. Raises OSError.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        if (uid, gid) != (-1, -1):  # daemons may not even ask for what changes nothing
            os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
        stream.flush()
        os.fsync(descriptor)


def replace(path: Path, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Write a file, in place of the one that is there, with its owner and mode as `write_new` takes them: a power cut
    leaves the old content or the new. Raises OSError."""
    staged = path.with_name(f".{path.name}.new")
    write_new(staged, content, mode, uid, gid)
    staged.replace(path)


def make_once(path: Path, content: bytes) -> bool:
    """Make a file (0600) with this content where nothing is; whoever comes first wins. Whether this call did. Raises
    OSError.

    The file gets its name when it is complete and closed.
    """
    staged = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        write_new(staged, content, 0o600)
        with suppress(FileExistsError):
            os.link(staged, path)
            return True
        return False
    finally:
        staged.unlink(missing_ok=True)


def own_secret(path: Path) -> bytes:
    """The secret of 32 bytes in a file, made by the first process that needs it. Raises OSError."""
    if not path.exists():
        make_once(path, os.urandom(_SECRET_BYTES))
    return path.read_bytes()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Have a directory to oneself among those who ask for it so (flock(2)). Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
