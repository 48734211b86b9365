"""Extended attributes: ACLs, file capabilities, and what applications put there.

Those of security modules belong to the host and do not travel: the labels of SELinux and SMACK, the measurements of IMA
and EVM; nor do the properties of btrfs. `trusted.*` can be seen and set only with CAP_SYS_ADMIN.
"""

from __future__ import annotations

import errno
import os
import struct

from xxhash import xxh3_128_digest

Attributes = dict[str, bytes]

_NOT_CARRIED = ("security.selinux", "security.SMACK", "security.ima", "security.evm", "security.apparmor", "btrfs.")
_LENGTHS = struct.Struct(">HI")


def read(place: int | bytes) -> Attributes:
    """The attributes of an open file, or of what a path names itself. What vanishes meanwhile is not among them."""
    found = {}
    for name in _names(place):
        try:
            found[name] = os.getxattr(place, name, follow_symlinks=isinstance(place, int))
        except OSError as error:
            if error.errno != errno.ENODATA:
                raise
    return found


def write(place: int | bytes, wanted: Attributes) -> None:
    """Give an entry these attributes and no others."""
    follow = isinstance(place, int)
    present = read(place)
    for name in present.keys() - wanted.keys():
        os.removexattr(place, name, follow_symlinks=follow)
    for name, value in wanted.items():
        if present.get(name) != value:
            os.setxattr(place, name, value, follow_symlinks=follow)


def encode(attributes: Attributes) -> bytes:
    """Attributes in one order: for each the lengths of name (2 bytes) and value (4 bytes), the name and the value."""
    names = sorted((os.fsencode(name), value) for name, value in attributes.items())
    return b"".join(_LENGTHS.pack(len(name), len(value)) + name + value for name, value in names)


def decode(data: bytes) -> Attributes:
    """What `encode` made `data` from. Raises ValueError."""
    found = {}
    start = 0
    while start < len(data):
        if len(data) < start + _LENGTHS.size:
            raise ValueError("an extended attribute is cut off")
        name_length, value_length = _LENGTHS.unpack_from(data, start)
        middle = start + _LENGTHS.size + name_length
        name, start = os.fsdecode(data[start + _LENGTHS.size : middle]), middle + value_length
        if len(data) < start or "\0" in name:
            raise ValueError("an extended attribute is cut off, or its name has a NUL")
        if _carried(name):
            found[name] = data[middle:start]
    return found


def digest(encoded: bytes) -> bytes:
    """The hash of encoded attributes; empty when there are none."""
    return xxh3_128_digest(encoded) if encoded else b""


def _names(place: int | bytes) -> list[str]:
    try:
        names = os.listxattr(place, follow_symlinks=isinstance(place, int))
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return []
        raise
    return [name for name in names if _carried(name)]


def _carried(name: str) -> bool:
    return not name.startswith(_NOT_CARRIED)
