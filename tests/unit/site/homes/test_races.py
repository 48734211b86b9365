"""What is exchanged while an operation runs leads nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hostile_home import (
    SECRET,
    append,
    contents,
    is_done,
    make_files,
    read,
    write,
)

from migrid.site.homes import FileError, Home

EXCHANGER = """
import ctypes, os, sys
libc, here, exchange = ctypes.CDLL(None), -100, 2
pairs = [tuple(map(os.fsencode, pair.split(":"))) for pair in sys.argv[1:]]
print("ready", flush=True)
while True:
    for one, other in pairs:
        libc.renameat2(here, one, here, other, exchange)
"""


@contextmanager
def exchanging(top: Path, *pairs: str) -> Iterator[None]:
    """Another program exchanges names (renameat2, RENAME_EXCHANGE) as fast as it can."""
    program = [sys.executable, "-c", EXCHANGER, *pairs]
    with subprocess.Popen(program, cwd=top, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline()
            yield
        finally:
            process.kill()


def until_done(act: Callable[[], object]) -> None:
    assert any(is_done(act) for _ in range(10_000))


def until_refused(act: Callable[[], object]) -> None:
    assert not all(is_done(act) for _ in range(10_000))


def read_own(home: Home, path: str) -> None:
    assert read(home, path) != SECRET.encode()


def list_own(home: Home, path: str) -> None:
    assert "bobs" not in home.listing(path)


def copy_own(home: Home, top: Path) -> None:
    try:
        home.copy("swap", "copy")
        assert SECRET.encode() not in contents(top / "copy").values()
    finally:
        with suppress(FileError):
            home.remove("copy")


def make_and_remove(home: Home, top: Path) -> None:
    home.make_directory("swap/made")
    until_done(lambda: home.remove_directory("swap/made"))


def delete_and_restore(home: Home, top: Path) -> None:
    identifier = home.delete("swap/inner")
    until_done(lambda: home.trash.restore(identifier))


def move_and_back(home: Home, top: Path) -> None:
    home.move("swap/inner", "moved")
    until_done(lambda: home.move("moved", "swap/inner"))


RACES: dict[str, Callable[[Home, Path], object]] = {
    "read": lambda home, _: read_own(home, "swap/file"),
    "read the file itself": lambda home, _: read_own(home, "swap_file"),
    "listing": lambda home, _: list_own(home, "swap"),
    "stat": lambda home, _: home.stat("swap/inner/file"),
    "replace": lambda home, _: write(home, "swap/file", b"own"),
    "resume": lambda home, _: append(home, "swap/file"),
    "resume the file itself": lambda home, _: append(home, "swap_file"),
    "make_directory": make_and_remove,
    "copy": copy_own,
    "copy to": lambda home, _: home.copy("docs", f"swap/{time.monotonic_ns()}"),
    "delete": delete_and_restore,
    "move": move_and_back,
}


@pytest.mark.parametrize("operation", RACES)
def test_what_is_exchanged_meanwhile_leads_nowhere(home: Home, path: Path, outside: Path, operation: str) -> None:
    make_files(path, {"swap/file": "own", "swap/inner/file": "own", "swap_file": "own", "docs/file": "own"})
    (path / "link").symlink_to("../bob")
    (path / "link_file").symlink_to(outside / "file")
    with exchanging(path, "swap:link", "swap_file:link_file"):
        for _ in range(200):
            is_done(lambda: RACES[operation](home, path))
        until_done(lambda: RACES[operation](home, path))
        until_refused(lambda: RACES[operation](home, path))


def test_a_removal_ends_at_what_is_exchanged_meanwhile(home: Home, path: Path, outside: Path) -> None:
    with exchanging(path, "swap:link"):
        for _ in range(200):
            restore_pair(path, outside)
            is_done(lambda: home.remove("swap"))


def restore_pair(top: Path, outside: Path) -> None:
    """Have a directory and a link named swap and link, in whichever order; they are only exchanged when both exist."""
    for missing, other in (("swap", "link"), ("link", "swap")):
        if not os.path.lexists(top / missing):
            if (top / other).is_symlink():
                make_files(top, {"made/inner/file": "own"})
                (top / "made").rename(top / missing)
            else:
                (top / missing).symlink_to(outside)
