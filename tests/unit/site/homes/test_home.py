"""What is done with files is what was asked for."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_home import (
    contents,
    make_files,
    read,
    refusal,
    write,
)

from migrid.site.errors import HomeError
from migrid.site.homes import EntryKind, FileError, Home, Homes, Kind


def test_five_thousand_entries_are_listed_at_once(home: Home, path: Path) -> None:
    (path / "many").mkdir()
    for number in range(5000):
        (path / "many" / f"file {number}").touch()
    started = time.process_time()
    entries = home.listing("many")
    assert time.process_time() - started < 0.5
    assert entries.keys() == {f"file {number}" for number in range(5000)}


def test_a_listing_tells_size_and_time(home: Home, path: Path) -> None:
    write(home, "file", b"data")
    os.utime(path / "file", (1_000_000, 1_234_567.5))
    entry = home.listing()["file"]
    assert (entry.kind, entry.size, entry.modified) == (EntryKind.FILE, 4, 1_234_567.5)
    assert home.stat("file") == entry


def test_an_upload_appears_when_it_is_complete(home: Home, path: Path) -> None:
    write(home, "file", b"old")
    (path / "file").chmod(0o640)
    with home.replace("file") as file:
        file.write(b"new")
        file.flush()
        assert read(home, "file") == b"old"
        assert home.listing().keys() == {"file"}
    assert read(home, "file") == b"new"
    assert stat.S_IMODE((path / "file").stat().st_mode) == 0o640


def test_an_interrupted_upload_leaves_nothing(home: Home, path: Path) -> None:
    with suppress(ConnectionResetError), home.create("file") as file:
        file.write(b"half")
        raise ConnectionResetError
    upload = home.replace("other")
    upload.file.write(b"half")
    upload.discard()
    assert list(path.iterdir()) == []


def test_a_new_file_replaces_nothing(home: Home) -> None:
    upload = home.create("file")
    upload.file.write(b"second")
    write(home, "file", b"first")
    assert refusal(upload.commit).kind == Kind.EXISTS
    assert refusal(lambda: home.create("file")).kind == Kind.EXISTS
    assert read(home, "file") == b"first"
    assert home.listing().keys() == {"file"}


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path, following: bool) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        (tmp_path / "ada").mkdir()
        with Homes(tmp_path) as homes, homes.open("ada") as home:
            assert home.space().total == 1 << 20
            error = refusal(lambda: write(home, "file", bytes(2 << 20)))
            assert error.kind == Kind.NO_SPACE
            assert "the file system is full" in str(error)
            assert list((tmp_path / "ada").iterdir()) == []
            write(home, "file", bytes(600_000))
            assert refusal(lambda: home.copy("file", "copy")).kind == Kind.NO_SPACE
            assert home.listing().keys() == {"file"}
            assert home.space().free < 1 << 20
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_transfer_is_resumed_where_it_ended(home: Home) -> None:
    write(home, "file", b"0123456789")
    with home.resume("file", 4) as file:
        file.write(b"abc")
    assert read(home, "file") == b"0123abc789"
    with home.resume("file", 10) as file:
        file.write(b"!")
    assert read(home, "file") == b"0123abc789!"
    assert refusal(lambda: home.resume("file", 12)).kind == Kind.NOT_ALLOWED
    assert refusal(lambda: home.resume("missing", 0)).kind == Kind.NOT_FOUND


def test_nothing_is_moved_or_copied_over_something(home: Home) -> None:
    for name in ("one", "two"):
        write(home, name, name.encode())
        home.make_directory(f"{name}.d")
    for act, (old, new) in itertools.product(
        (home.move, home.copy), (("one", "two"), ("one", "two.d"), ("one.d", "two"), ("one.d", "two.d"), ("one", "one"))
    ):
        assert refusal(lambda act=act, old=old, new=new: act(old, new)).kind == Kind.EXISTS
    assert read(home, "two") == b"two"
    assert home.listing().keys() == {"one", "two", "one.d", "two.d"}


def test_what_makes_room_is_gone_afterwards_or_back_when_that_fails(home: Home, path: Path) -> None:
    make_files(path, {"file": "old", "dir/file": "old", "new": "new"})
    with home.making_room("file"):
        assert "file" not in home.listing()
        home.move("new", "file")
    with pytest.raises(FileError, match="does not exist"), home.making_room("dir"):
        home.move("nothing", "dir")
    assert contents(path) == {"file": b"new", "dir": None, "dir/file": b"old"}
    with home.making_room("nothing"), home.making_room("dir"):
        pass
    assert contents(path) == {"file": b"new"}


def test_a_directory_into_itself(home: Home) -> None:
    home.make_directory("dir")
    write(home, "dir/file", b"data")
    assert "nothing can be moved into itself" in str(refusal(lambda: home.move("dir", "dir/inner")))
    home.copy("dir", "dir/inner")
    assert home.listing("dir/inner").keys() == {"file"}


def test_a_copy_keeps_modes_times_and_links(home: Home, path: Path) -> None:
    make_files(path, {"dir/file": "data", "dir/inner/script": "run"})
    (path / "dir/inner/script").chmod(0o750)
    os.utime(path / "dir/file", (1, 1_000))
    (path / "dir/link").symlink_to("file")
    os.mkfifo(path / "dir/fifo")
    home.copy("dir", "copy")
    assert contents(path / "copy") == {"file": b"data", "inner": None, "inner/script": b"run", "link": b"data"}
    assert (path / "copy/link").is_symlink()
    assert (path / "copy/file").stat().st_mtime == 1_000
    assert stat.S_IMODE((path / "copy/inner/script").stat().st_mode) == 0o750


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda home: home.open("missing"), Kind.NOT_FOUND),
        (lambda home: home.open("missing/file"), Kind.NOT_FOUND),
        (lambda home: home.create("missing/file"), Kind.NOT_FOUND),
        (lambda home: home.move("missing", "dir/new"), Kind.NOT_FOUND),
        (lambda home: home.delete("missing"), Kind.NOT_FOUND),
        (lambda home: home.trash.restore("0" * 16), Kind.NOT_FOUND),
        (lambda home: home.trash.restore("../../bob"), Kind.NOT_FOUND),
        (lambda home: home.open("dir"), Kind.NOT_A_FILE),
        (lambda home: home.replace("dir"), Kind.NOT_A_FILE),
        (lambda home: home.resume("dir", 0), Kind.NOT_A_FILE),
        (lambda home: home.open("file/below"), Kind.NOT_A_DIRECTORY),
        (lambda home: home.listing("file"), Kind.NOT_A_DIRECTORY),
        (lambda home: home.remove_directory("file"), Kind.NOT_A_DIRECTORY),
        (lambda home: home.remove_directory("dir"), Kind.NOT_EMPTY),
        (lambda home: home.make_directory("file"), Kind.EXISTS),
    ],
)
def test_errors_have_a_kind(home: Home, act: Callable[[Home], object], kind: Kind) -> None:
    write(home, "file", b"")
    home.make_directory("dir")
    write(home, "dir/file", b"")
    assert refusal(lambda: act(home)).kind == kind


def test_errors_name_the_path(home: Home) -> None:
    assert str(refusal(lambda: home.open("docs/file"))) == "'/docs/file' does not exist"
    assert "missing" in str(refusal(lambda: home.move("missing", "new")))


def test_usage_counts_files_and_the_trash(home: Home, path: Path) -> None:
    make_files(path, {"one": "1", "dir/inner/two": "22", "deleted": "333"})
    (path / "link").symlink_to("one")
    home.delete("deleted")
    (record,) = (path / ".trash/info").iterdir()
    assert home.usage() == (4, 6 + record.stat().st_size)


def test_only_a_home_is_opened(path: Path, outside: Path) -> None:
    (path.parent / "link").symlink_to("bob")
    with Homes(path.parent) as homes:
        for name in ("missing", "link", "..", "ada/..", "", "/"):
            with pytest.raises(HomeError, match=r"No such file|Not a directory|is not the name"):
                homes.open(name)
