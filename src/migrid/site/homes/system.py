"""The two calls of Linux that Python has no function for: openat2(2) and renameat2(2)."""

from __future__ import annotations

import ctypes
import errno
import os
from enum import IntFlag

from .handles import Place

_OPENAT2 = 437  # the number on every architecture
_RENAME_NOREPLACE = 1
_ATTEMPTS = 1000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Resolve(IntFlag):
    """How the kernel walks down a path (openat2(2), linux/openat2.h)."""

    NO_MAGICLINKS = 0x02
    NO_SYMLINKS = 0x04
    BENEATH = 0x08


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_resolved(path: bytes, top: int, flags: int, resolve: Resolve) -> int:
    """openat2(2): an open descriptor. Raises OSError; ENOSYS or EPERM where there is no such call.

    EAGAIN says that something was renamed meanwhile, so that the kernel could not tell whether `..` stays inside.
    """
    how = _OpenHow(flags, 0, resolve)
    arguments = (ctypes.c_long(top), path, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    for _ in range(_ATTEMPTS):
        descriptor = int(_libc.syscall(ctypes.c_long(_OPENAT2), *arguments))
        if descriptor >= 0:
            return descriptor
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def rename_new(source: Place, target: Place) -> None:
    """Rename without ever replacing: FileExistsError when the target is there.

    File systems that lack the flag, such as NFS, are looked at first.
    """
    try:
        _rename_noreplace(source, target)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        _refuse_existing(target)
        os.rename(source.name, target.name, src_dir_fd=source.directory, dst_dir_fd=target.directory)


def _rename_noreplace(source: Place, target: Place) -> None:
    old, new = os.fsencode(source.name), os.fsencode(target.name)
    if _libc.renameat2(source.directory, old, target.directory, new, _RENAME_NOREPLACE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _refuse_existing(target: Place) -> None:
    try:
        os.lstat(target.name, dir_fd=target.directory)
    except FileNotFoundError:
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
