"""Subvolumes of btrfs: the directory of a new volume as one, so that it can be snapshotted, and an end to snapshots.

Run in a container of the helper image where the engine's directory is not visible: `replace DIRECTORY` or
`clear DIRECTORY`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
import sys
from pathlib import Path

MODULE = "migrid.grid.docker.subvolume"
"""Its name in the helper image, whatever it has here: Ansible gives it another."""

_SUBVOL_CREATE = 0x5000940E  # BTRFS_IOC_SUBVOL_CREATE of linux/btrfs.h
_SNAP_DESTROY = 0x5000940F  # BTRFS_IOC_SNAP_DESTROY
_ARGUMENTS = struct.Struct("=q4088s")
_SUBVOLUME_INODE = 256
_OTHER_FILE_SYSTEM = (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)


def replace(directory: Path) -> None:
    """Make the directory, which is empty, a subvolume with the same owner and mode. On any file system but btrfs, and
    when it is one already, nothing happens."""
    if _is_subvolume(directory) or any(directory.iterdir()):
        return
    new = directory.with_name(f".{directory.name}.new")
    try:
        _control(_SUBVOL_CREATE, new)
    except OSError as error:
        if error.errno in _OTHER_FILE_SYSTEM:
            return
        raise
    status = directory.stat()
    os.chown(new, status.st_uid, status.st_gid)
    shutil.copystat(directory, new)
    directory.rmdir()
    new.rename(directory)


def clear(directory: Path) -> None:
    """Remove all that is in the directory, snapshots too."""
    for path in directory.iterdir():
        if _is_subvolume(path):
            _control(_SNAP_DESTROY, path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_subvolume(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and path.stat().st_ino == _SUBVOLUME_INODE


def _control(request: int, path: Path) -> None:
    """Ask the file system of the parent directory to do something with the name in it."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, request, bytearray(_ARGUMENTS.pack(0, os.fsencode(path.name))))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    {"replace": replace, "clear": clear}[sys.argv[1]](Path(sys.argv[2]))
