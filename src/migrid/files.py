"""How a file is written that must never be seen half: as a new one, which the caller then renames over the live one."""

from __future__ import annotations

import os
from pathlib import Path


def write_new(path: Path, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Write a new file, with its owner and mode, so that it survives a power cut. What a crash left there is removed.

    ``mode`` is the number that chmod takes; an id of -1 is the caller's. No symbolic link is followed, and until the
    content is complete nobody else can read it. Raises OSError.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, mode)
        stream.flush()
        os.fsync(descriptor)
