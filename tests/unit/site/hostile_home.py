"""What a user can leave in a home, and all that can be done to a path in it."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrid.site.homes import FileError, Home

KEY = "ssh-ed25519 AAAA ada"
SECRET = "secret of somebody else"


INSIDE = {
    "to_dir": "docs",
    "to_chain": "to_dir",
    "to_inner": "docs/inner/../../docs/inner",
    "docs/to_top": "..",
    "docs/to_here": ".",
    "docs/to_itself": "../docs/",
}
LEADING_OUT = {
    "absolute": "{outside}",
    "relative": "../bob",
    "chained": "relative",
    "and_back": "../ada/docs",
    "deep_out": "docs/to_top/../bob",
    "process": "/proc/self/cwd",
    "root": "/",
}
BROKEN = {"loop": "loop", "loop_a": "loop_b", "loop_b": "loop_a", "to_keys": ".ssh", "by_top": "docs/to_top/.ssh"}
SPECIAL = ("fifo", "socket", "device")


def make_files(top: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text, encoding="utf-8")


def make_special(top: Path) -> None:
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as listener, chdir(top):
        listener.bind("socket")
    if os.geteuid() == 0:
        os.mknod(top / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    else:
        os.mkfifo(top / "device")


@contextmanager
def chdir(directory: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def contents(top: Path) -> dict[str, bytes | None]:
    """Everything below a directory, and the bytes of the files."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            place = Path(directory, name)
            found[str(place.relative_to(top))] = place.read_bytes() if place.is_file() else None
    return found


def write(home: Home, path: object, data: bytes) -> None:
    with home.replace(path) as file:
        file.write(data)


def read(home: Home, path: object) -> bytes:
    with home.open(path) as file:
        return file.read()


def append(home: Home, path: object) -> None:
    with home.resume(path, 0) as file:
        file.write(b"overwritten")


READING: dict[str, Callable[[Home, str], object]] = {
    "stat": lambda home, path: home.stat(path),
    "listing": lambda home, path: home.listing(path),
    "open": read,
    "copy from": lambda home, path: home.copy(path, f"copy {time.monotonic_ns()}"),
}
CHANGING: dict[str, Callable[[Home, str], object]] = {
    "create": lambda home, path: home.create(path).commit(),
    "replace": lambda home, path: write(home, path, b"overwritten"),
    "resume": append,
    "set_modified": lambda home, path: home.set_modified(path, 1),
    "make_directory": lambda home, path: home.make_directory(path),
    "move from": lambda home, path: home.move(path, "moved"),
    "move to": lambda home, path: home.move("docs/file", path),
    "copy to": lambda home, path: home.copy("docs/inner/file", path),
    "delete": lambda home, path: home.delete(path),
    "remove": lambda home, path: home.remove(path),
    "remove_directory": lambda home, path: home.remove_directory(path),
}
OPERATIONS = READING | CHANGING


def refusal(act: Callable[[], object]) -> FileError:
    with pytest.raises(FileError) as caught:
        act()
    return caught.value


def is_done(act: Callable[[], object]) -> bool:
    try:
        act()
    except FileError:
        return False
    return True
