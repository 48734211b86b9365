"""System calls that Python's standard library has no function for."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
_LIBC.fstatfs.argtypes = [ctypes.c_int, ctypes.c_char_p]
_LIBC.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
_LIBC.syncfs.argtypes = [ctypes.c_int]

_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02
_SYNC_FILE_RANGE_WRITE = 2
_STATFS_BYTES = 256

BTRFS = 0x9123683E
# On these, a store to a page that was written back moves ctime, because the page has been write-protected by then.
_CTIME_TELLS_OF_STORES = frozenset({0xEF53, 0x58465342, BTRFS})  # ext2 to ext4, xfs, btrfs


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def sync_file_system(descriptor: int) -> None:
    """Write all of the file system that holds `descriptor` to its device. Raises OSError."""
    _check(_LIBC.syncfs(descriptor))


def punch_hole(descriptor: int, offset: int, length: int) -> bool:
    """Make a range of a file a hole; False if its file system knows no holes. Raises OSError."""
    try:
        _check(_LIBC.fallocate(descriptor, _KEEP_SIZE_AND_PUNCH_HOLE, offset, length))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True


def start_writing(descriptor: int, offset: int, length: int) -> None:
    """Let the kernel begin to write a range of a file to its device. That it could not is no error: a sync tells."""
    _LIBC.sync_file_range(descriptor, offset, length, _SYNC_FILE_RANGE_WRITE)


def file_system_type(descriptor: int) -> int:
    """The magic number of the file system that holds `descriptor`. Raises OSError."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    _check(_LIBC.fstatfs(descriptor, buffer))
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF


def ctime_tells_of_stores(descriptor: int) -> bool:
    """Whether a file whose ctime stands still since it was synchronized is known to have its old content."""
    return file_system_type(descriptor) in _CTIME_TELLS_OF_STORES
