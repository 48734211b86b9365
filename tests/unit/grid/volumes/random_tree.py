"""Random edits of a tree, decided by a seed: all that an application, or whoever looks after it, may do to files."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from collections.abc import Callable
from contextlib import chdir, suppress
from pathlib import Path

NAMES = ("a", "a-", "b", "line\nfeed", os.fsdecode(b"\xff\xfe"), "n" * 255)
SIZES = (0, 1, 5000, 16384, 16385, 100_000, 1 << 20, (1 << 20) + 1, 3_000_000)
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


class RandomTree:
    """A tree and what may be done to it."""

    def __init__(self, top: Path, seed: int) -> None:
        self.top, self.random = top, random.Random(seed)  # noqa: S311
        self.edits = [method for name, method in vars(RandomTree).items() if name.startswith("edit_")]

    def edit(self, count: int) -> None:
        """Do something, several times; what turns out to be impossible is left out."""
        for _ in range(count):
            with suppress(OSError):
                self.random.choice(self.edits)(self)

    def _old(self, wanted: Callable[[Path], bool] = lambda _: True) -> Path:
        found = [path for path in sorted(self.top.rglob("*")) if wanted(path)]
        if not found:
            raise FileNotFoundError
        return self.random.choice(found)

    def _new(self) -> Path:
        above = [self.top, *(path for path in sorted(self.top.rglob("*")) if _is_directory(path))]
        return self.random.choice(above) / self.random.choice(NAMES)

    def _file(self) -> Path:
        return self._old(lambda path: path.is_file() and not path.is_symlink())

    def _content(self) -> bytes:
        size = self.random.choice(SIZES)
        return self.random.choice([bytes, self.random.randbytes])(size)

    def edit_write(self) -> None:
        _write(self._new(), os.O_CREAT | os.O_TRUNC, 0, self._content())

    def edit_replace(self) -> None:
        new = self._new()
        _write(new, os.O_CREAT | os.O_TRUNC, 0, self._content())
        new.rename(self._file())

    def edit_part(self) -> None:
        place = self.random.choice([*SIZES, self.random.randrange(3_000_000)])
        _write(self._file(), 0, place, self._content()[:40_000])

    def edit_append(self) -> None:
        path = self._file()
        _write(path, 0, path.stat().st_size, self._content())

    def edit_truncate(self) -> None:
        os.truncate(self._file(), self.random.choice(SIZES))

    def edit_punch(self) -> None:
        path = self._file()
        place = self.random.randrange(path.stat().st_size + 1)
        subprocess.run(["fallocate", "-p", "-o", str(place), "-l", "70000", path], check=True, capture_output=True)

    def edit_mkdir(self) -> None:
        self._new().mkdir()

    def edit_unlink(self) -> None:
        self._old(lambda path: not _is_directory(path)).unlink()

    def edit_rmdir(self) -> None:
        self._old(_is_directory).rmdir()

    def edit_rename(self) -> None:
        self._old().rename(self._new())

    def edit_swap(self) -> None:
        first, second, between = self._old(), self._old(), self.top / "between"
        first.rename(between)
        second.rename(first)
        between.rename(second)

    def edit_link(self) -> None:
        os.link(self._old(lambda path: not _is_directory(path)), self._new(), follow_symlinks=False)

    def edit_symlink(self) -> None:
        self._new().symlink_to(self.random.choice(["/etc/passwd", "a", "..", "\udcfe", "x" * 4000]))

    def edit_special(self) -> None:
        kind, device = self.random.choice([(0o010000, 0), (0o020000, os.makedev(1, 3)), (0o060000, os.makedev(7, 99))])
        os.mknod(self._new(), kind | 0o640, device)

    def edit_socket(self) -> None:
        path = self._new()
        with socket.socket(socket.AF_UNIX) as server, chdir(path.parent):
            server.bind(path.name[:100])

    def edit_mode(self) -> None:
        path = self._old(lambda path: not path.is_symlink())
        path.chmod(self.random.choice([0o6755, 0, 0o1777, 0o2770, 0o600]))

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


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _write(path: Path, flags: int, place: int, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags)
    try:
        os.pwrite(descriptor, content, place)
    finally:
        os.close(descriptor)
