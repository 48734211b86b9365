"""Trees that are subvolumes of btrfs: the file system tells what has changed, and snapshots are gone at the end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from volumes_rig import Pair, finish, memory_map, quiet

MIB = 1 << 20


def snapshots(pair: Pair) -> list[Path]:
    assert pair.places is not None
    return list((pair.places / "data").iterdir())


def btrfs(*arguments: str | Path) -> None:
    subprocess.run(["btrfs", "-q", *arguments], check=True)


def fill(pair: Pair) -> None:
    (pair.source / "large").write_bytes(os.urandom(20 * MIB))
    (pair.source / "directory").mkdir()
    for number in range(20):
        (pair.source / "directory" / str(number)).write_bytes(os.urandom(100))


def test_only_what_was_touched_is_read(subvolume_pair: Pair) -> None:
    """Although all files are so young that their ctime would not be believed."""
    pair = subvolume_pair
    fill(pair)
    with pair.session() as session:
        assert session.round(False, None, quiet).examined_bytes == 20 * MIB + 2000
        assert session.round(False, None, quiet).examined_bytes == 0
        with (pair.source / "large").open("r+b") as stream:
            stream.seek(7 * MIB + 5000)
            stream.write(b"changed")
        (pair.source / "directory" / "3").write_bytes(b"new")
        last, _ = finish(session)
        assert (last.examined_bytes, last.changed_bytes) == ((16 << 10) + 3, (16 << 10) + 3)
    pair.assert_equal()
    assert snapshots(pair) == []


def test_a_renamed_directory_costs_nothing(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        (pair.source / "directory" / "5").write_bytes(b"changed before")
        (pair.source / "directory").rename(pair.source / "another")
        (pair.source / "another" / "6").write_bytes(b"changed behind")
        (pair.source / "large").rename(pair.source / "another" / "large")
        last, _ = finish(session)
        assert last.examined_bytes == 28
    pair.assert_equal()


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 20 * MIB + 1, 40 * MIB])
def test_the_end_of_a_file_moves(subvolume_pair: Pair, size: int) -> None:
    pair = subvolume_pair
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        os.truncate(pair.source / "large", size)
        finish(session)
        pair.assert_equal()
        os.truncate(pair.source / "large", 20 * MIB)
        finish(session)
    pair.assert_equal()


def test_a_store_through_a_memory_map(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    fill(pair)
    with memory_map(pair.source / "large") as mapped, pair.session() as session:
        mapped[3 * MIB] = 1
        session.round(False, None, quiet)
        mapped[3 * MIB + 1] = 2
        finish(session)
    pair.assert_equal()


def test_a_file_with_the_inode_number_of_another(subvolume_pair: Pair) -> None:
    """What a new file does not touch are holes, not what the old one had there."""
    pair = subvolume_pair
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        (pair.source / "large").unlink()
        with (pair.source / "large").open("wb") as stream:
            stream.seek(10 * MIB)
            stream.write(b"x" * 10 * MIB)
        finish(session)
    pair.assert_equal()


def test_a_reflinked_copy(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        subprocess.run(["cp", "--reflink=always", pair.source / "large", pair.source / "clone"], check=True)
        finish(session)
    pair.assert_equal()


def test_a_new_session_reads_on_without_the_old_snapshots(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    fill(pair)
    pair.copy()
    (pair.source / "large").write_bytes(os.urandom(20 * MIB))
    pair.copy()
    pair.assert_equal()


def test_snapshots_that_a_killed_sender_left_are_removed(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    assert pair.places is not None
    left = pair.places / "data" / ".migrid-snapshot-0badcafe-1"
    btrfs("subvolume", "snapshot", "-r", pair.source, left)
    (pair.places / "data" / "something else").mkdir()
    pair.copy()
    assert [path.name for path in snapshots(pair)] == ["something else"]


def test_subvolumes_in_a_tree_are_copied_as_directories(subvolume_pair: Pair) -> None:
    pair = subvolume_pair
    (pair.source / "below").mkdir()
    btrfs("subvolume", "create", pair.source / "below" / "subvolume")
    (pair.source / "below" / "subvolume" / "file").write_bytes(b"must not be left out")
    with pair.session() as session:
        session.round(False, None, quiet)
        (pair.source / "below" / "subvolume" / "file").write_bytes(b"changed")
        finish(session)
    pair.assert_equal()
    assert snapshots(pair) == []


@pytest.mark.parametrize("reason", ["no place", "no subvolume", "another file system"])
def test_trees_that_can_have_no_snapshots(subvolume_pair: Pair, tmp_path: Path, reason: str) -> None:
    pair = subvolume_pair
    if reason == "no place":
        pair.places = None
    elif reason == "no subvolume":
        pair.sources["data"] = pair.source = pair.source / "below"
        pair.source.mkdir()
    else:
        pair.places = tmp_path / "snapshots"
        (pair.places / "data").mkdir(parents=True)
    fill(pair)
    with pair.session() as session:
        session.round(False, None, quiet)
        (pair.source / "large").write_bytes(os.urandom(MIB))
        finish(session)
    pair.assert_equal()


def test_a_tree_that_is_mounted_read_only(subvolume_pair: Pair, tmp_path: Path) -> None:
    """As the mover's container has it."""
    pair = subvolume_pair
    fill(pair)
    mount = tmp_path / "mount"
    mount.mkdir()
    subprocess.run(["mount", "--bind", "-o", "ro", pair.source, mount], check=True)
    try:
        pair.sources["data"] = mount
        with pair.session() as session:
            session.round(False, None, quiet)
            (pair.source / "directory" / "3").write_bytes(b"new")
            assert finish(session)[0].examined_bytes == 3
        pair.assert_equal()
    finally:
        subprocess.run(["umount", "--lazy", mount], check=True)
