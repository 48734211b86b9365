"""Random edits of a tree, decided by a seed: all that an application, or whoever looks after it, may do to files."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAMES = (b"a", b"a-", b"b", b"line\nfeed", b"\xff\xfe", b"n" * 255)
SIZES = (0, 1, 5000, 16384, 16385, 100_000, 1 << 20, (1 << 20) + 1, 3_000_000)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


class RandomTree:
    """A tree and what may be done to it."""

    def __init__(self, top: Path, seed: int) -> None:
        self.top, self.random = os.fsencode(top), random.Random(seed)
        self.edits = [method for name, method in vars(RandomTree).items() if name.startswith("edit_")]

    def edit(self, count: int) -> None:
        """Do something, several times; what turns out to be impossible is left out."""
        for _ in range(count):
            with suppress(OSError):
                self.random.choice(self.edits)(self)

    def _old(self, wanted: Callable[[bytes], bool] = lambda path: True) -> bytes:
        found = [
            where + b"/" + name
            for where, directories, files in os.walk(self.top)
            for name in (*directories, *files)
            if wanted(where + b"/" + name)
        ]
        if not found:
            raise FileNotFoundError
        return self.random.choice(sorted(found))

    def _new(self) -> bytes:
        above = sorted(where for where, _, _ in os.walk(self.top))
        return self.random.choice(above) + b"/" + self.random.choice(NAMES)

    def _file(self) -> bytes:
        return self._old(lambda path: os.path.isfile(path) and not os.path.islink(path))

    def _content(self) -> bytes:
        size = self.random.choice(SIZES)
        return self.random.choice([bytes, self.random.randbytes])(size)

    def edit_write(self) -> None:
        _write(self._new(), os.O_CREAT | os.O_TRUNC, 0, self._content())

    def edit_replace(self) -> None:
        new = self._new()
        _write(new, os.O_CREAT | os.O_TRUNC, 0, self._content())
        os.rename(new, self._file())

    def edit_part(self) -> None:
        place = self.random.choice([*SIZES, self.random.randrange(3_000_000)])
        _write(self._file(), 0, place, self._content()[:40_000])

    def edit_append(self) -> None:
        path = self._file()
        _write(path, 0, os.path.getsize(path), self._content())

    def edit_truncate(self) -> None:
        os.truncate(self._file(), self.random.choice(SIZES))

    def edit_punch(self) -> None:
        path = self._file()
        place = self.random.randrange(os.path.getsize(path) + 1)
        subprocess.run(["fallocate", "-p", "-o", str(place), "-l", "70000", path], check=True, capture_output=True)

    def edit_mkdir(self) -> None:
        os.mkdir(self._new())

    def edit_unlink(self) -> None:
        os.unlink(self._old(lambda path: os.path.islink(path) or not os.path.isdir(path)))

    def edit_rmdir(self) -> None:
        os.rmdir(self._old(os.path.isdir))

    def edit_rename(self) -> None:
        os.rename(self._old(), self._new())

    def edit_swap(self) -> None:
        first, second, between = self._old(), self._old(), self.top + b"/between"
        os.rename(first, between)
        os.rename(second, first)
        os.rename(between, second)

    def edit_link(self) -> None:
        os.link(self._old(lambda path: not os.path.isdir(path)), self._new(), follow_symlinks=False)

    def edit_symlink(self) -> None:
        os.symlink(self.random.choice([b"/etc/passwd", b"a", b"..", b"\xfe", b"x" * 4000]), self._new())

    def edit_special(self) -> None:
        kind, device = self.random.choice([(0o010000, 0), (0o020000, os.makedev(1, 3)), (0o060000, os.makedev(7, 99))])
        os.mknod(self._new(), kind | 0o640, device)

    def edit_socket(self) -> None:
        path = self._new()
        with socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            os.chdir(os.path.dirname(path))
            server.bind(os.path.basename(path)[:100])
        os.chdir("/")

    def edit_mode(self) -> None:
        os.chmod(
            self._old(lambda path: not os.path.islink(path)), self.random.choice([0o6755, 0, 0o1777, 0o2770, 0o600])
        )

    def edit_owner(self) -> None:
        os.chown(self._old(), self.random.choice([0, 999, 4_000_000_000]), 998, follow_symlinks=False)

    def edit_times(self) -> None:
        time = self.random.choice([0, 1, -1_000_000_001, 1_700_000_000_123_456_789])
        os.utime(self._old(), ns=(time, time), follow_symlinks=False)

    def edit_attribute(self) -> None:
        name = self.random.choice(["user.color", "trusted.secret", "security.other", "user.r\udcff"])
        os.setxattr(self._old(), name, self.random.randbytes(self.random.choice([0, 3, 200])), follow_symlinks=False)

    def edit_attribute_away(self) -> None:
        path = self._old()
        for name in os.listxattr(path, follow_symlinks=False):
            os.removexattr(path, name, follow_symlinks=False)

    def edit_acl(self) -> None:
        kind = self.random.choice(["-m", "-dm"])
        wish = self.random.choice(["u:1234:rw", "g:77:rx", "m::r"])
        subprocess.run(["setfacl", kind, wish, self._old()], check=False, capture_output=True)

    def edit_capability(self) -> None:
        os.setxattr(self._file(), "security.capability", CAPABILITY)


def _write(path: bytes, flags: int, place: int, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags)
    try:
        os.pwrite(descriptor, content, place)
    finally:
        os.close(descriptor)
