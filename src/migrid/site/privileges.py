"""Root does in the site's name what is the site's: everything in the state directory."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import PrivilegeError

_PRIVATE = 0o077


@contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """Run the block with the effective user, group and supplementary groups of an account.

    What the block creates is not accessible to others. Needs root: raises PrivilegeError. The identity is that of
    the whole process, so no other thread may rely on it.
    """
    if os.geteuid() != 0:
        raise PrivilegeError("this needs root; run it as root: sudo mig …, or in a play: become: true")
    groups, mask = os.getgroups(), os.umask(_PRIVATE)
    try:
        os.setgroups(_groups(uid, gid))
        os.setegid(gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
        os.umask(mask)


def _groups(uid: int, gid: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        return [gid]
