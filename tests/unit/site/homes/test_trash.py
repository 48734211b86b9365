"""What was deleted comes back, and what is left over goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hostile_home import (
    contents,
    make_files,
    read,
    refusal,
    write,
)

from migrid.site.homes import EntryKind, Home, Kind


def test_what_was_deleted_comes_back(home: Home, path: Path) -> None:
    make_files(path, {"docs/file": "data", "dir/inner/file": "deep"})
    identifiers = [home.delete("docs/file"), home.delete("dir")]
    assert home.listing().keys() == {"docs"}
    items = {item.identifier: item for item in home.trash.items()}
    assert [items[identifier].names for identifier in identifiers] == [("docs", "file"), ("dir",)]
    assert [items[identifier].kind for identifier in identifiers] == [EntryKind.FILE, EntryKind.DIRECTORY]
    for identifier in identifiers:
        home.trash.restore(identifier)
    assert (read(home, "docs/file"), read(home, "dir/inner/file")) == (b"data", b"deep")
    assert home.trash.items() == []


def test_what_comes_back_replaces_nothing(home: Home) -> None:
    write(home, "file", b"old")
    identifier = home.delete("file")
    write(home, "file", b"new")
    assert refusal(lambda: home.trash.restore(identifier)).kind == Kind.EXISTS
    home.remove("file")
    home.trash.restore(identifier)
    assert read(home, "file") == b"old"


def test_the_trash_is_emptied_by_age(home: Home, path: Path) -> None:
    for name in ("old", "new"):
        write(home, name, b"data")
        home.delete(name)
    record = next((path / ".trash/info").glob(f"{home.trash.items()[0].identifier}*"))
    kept = home.trash.items()[1]
    record.write_text(record.read_text(encoding="utf-8").replace("=20", "=19"), encoding="utf-8")
    home.trash.empty(datetime.now(UTC) - timedelta(days=30))
    assert home.trash.items() == [kept]
    home.trash.empty()
    assert home.usage().files == 0


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[Trash Info]\nPath=..%2Fbob%2Fnew\nDeletionDate=2026-01-01T00:00:00\n",
        b"[Trash Info]\nPath=../bob/new\nDeletionDate=2026-01-01T00:00:00\n",
        b"[Trash Info]\nPath=.ssh/authorized_keys\nDeletionDate=2026-01-01T00:00:00\n",
        b"[Trash Info]\nPath=file\nDeletionDate=now\n",
        b"[Trash Info]\nPath=file\nDeletionDate=T\n",
        bytes(2 << 20),
    ],
)
def test_a_record_that_users_wrote_is_not_believed(home: Home, path: Path, outside: Path, record: bytes) -> None:
    write(home, "file", b"data")
    identifier = home.delete("file")
    (path / f".trash/info/{identifier}.trashinfo").write_bytes(record)
    assert home.trash.items() == []
    assert refusal(lambda: home.trash.restore(identifier)).kind == Kind.NOT_FOUND
    home.trash.empty()
    assert home.usage().files == 0


@pytest.mark.parametrize("place", [".trash", ".trash/files", ".trash/info"])
def test_a_link_in_the_place_of_the_trash_leads_nowhere(home: Home, path: Path, outside: Path, place: str) -> None:
    (path / place).parent.mkdir(exist_ok=True)
    (path / place).symlink_to(outside)
    write(home, "file", b"data")
    for act in (lambda: home.delete("file"), home.trash.items, home.trash.empty, lambda: home.trash.restore("0" * 16)):
        assert refusal(act).kind == Kind.NOT_A_DIRECTORY
    assert read(home, "file") == b"data"


KILLED_UPLOAD = """
import os, pathlib, signal, sys
from migrid.site.homes import Homes
with Homes(pathlib.Path(sys.argv[1])) as homes, homes.open(sys.argv[2]) as home, home.create("dir/lost") as file:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_upload_left_is_tidied_up(home: Home, path: Path) -> None:
    make_files(path, {"dir/file": "kept", "dir/.partial": "kept"})
    for _ in range(2):
        program = [sys.executable, "-c", KILLED_UPLOAD, path.parent, path.name]
        assert subprocess.run(program, check=False).returncode == -signal.SIGKILL
    lost, running = (path / "dir").glob(".partial-*")
    os.utime(lost, (0, 0))
    for name in (lost.name, f"{lost.name}/below"):
        assert refusal(lambda name=name: home.remove(f"dir/{name}")).kind == Kind.NOT_ALLOWED
    assert home.listing("dir").keys() == {"file", ".partial"}
    home.tidy(datetime.now(UTC) - timedelta(days=1))
    assert contents(path / "dir").keys() == {"file", ".partial", running.name}
