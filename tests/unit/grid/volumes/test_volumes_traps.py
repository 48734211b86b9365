"""The traps into which copies of running applications fell, each reproduced with rsync or tar before."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest
from volumes_rig import Pair, finish, memory_map, quiet, wait_until_settled

PAGE = 4096


@pytest.mark.usefixtures("quick_clock")
def test_1_a_store_to_a_page_that_is_dirty_already(pair: Pair) -> None:
    path = pair.source / "mapped"
    path.write_bytes(bytes(8 * PAGE))
    with memory_map(path) as mapped, pair.session() as session:
        mapped[0] = 1
        before = path.stat()
        mapped[1] = 1
        assert path.stat().st_mtime_ns == before.st_mtime_ns, "else this is no trap"
        wait_until_settled(path)
        session.round(False, None, quiet)
        mapped[2] = 1
        finish(session)
        assert (pair.target / "mapped").read_bytes()[:4] == b"\1\1\1\0"
    pair.assert_equal()


@pytest.mark.usefixtures("quick_clock")
def test_1_a_store_while_nobody_looks_at_other_files(ext4_pair: Pair) -> None:
    """The same over several rounds: a file is left alone only as long as nothing is stored to it."""
    path, quiet_file = ext4_pair.source / "mapped", ext4_pair.source / "quiet"
    path.write_bytes(bytes(2 << 20))
    quiet_file.write_bytes(os.urandom(3 << 20))
    wait_until_settled(path, quiet_file)
    with memory_map(path) as mapped, ext4_pair.session() as session:
        session.round(False, None, quiet)
        assert session.round(False, None, quiet).examined_bytes == 0, "settled files are not read again"
        mapped[PAGE] = 7
        one = session.round(False, None, quiet)
        assert (one.examined_bytes, one.changed_bytes) == (2 << 20, 16 << 10)
        mapped[PAGE] = 8
        finish(session)
    ext4_pair.assert_equal()


def test_2_a_write_of_the_same_size_in_the_same_second(pair: Pair) -> None:
    path = pair.source / "file"
    path.write_bytes(b"old")
    with pair.session() as session:
        session.round(False, None, quiet)
        before = path.stat()
        path.write_bytes(b"new")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        finish(session)
    assert (pair.target / "file").read_bytes() == b"new"


def test_2_a_write_with_the_same_ctime(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coarse clock gives two changes the same ctime: a file that has just changed is not trusted."""
    path = pair.source / "file"
    path.write_bytes(b"old")
    ctime = path.stat().st_ctime_ns
    with pair.session() as session:
        session.round(False, None, quiet)
        path.write_bytes(b"new")
        coarse_clock(monkeypatch, ctime)
        finish(session)
    assert (pair.target / "file").read_bytes() == b"new"


def coarse_clock(monkeypatch: pytest.MonkeyPatch, ctime: int) -> None:
    """Let all files seem to have this ctime and mtime, as if the clock stood still."""
    from migrid.grid.volumes.entry import Stat

    def of(found: os.stat_result, device: int) -> Stat:
        return exact(found, device)._replace(ctime=ctime, mtime=ctime)

    exact = Stat.of
    monkeypatch.setattr(Stat, "of", of)


@pytest.mark.usefixtures("quick_clock")
def test_3_the_old_size_and_a_restored_mtime(pair: Pair) -> None:
    path = pair.source / "file"
    path.write_bytes(b"old")
    wait_until_settled(path)
    with pair.session() as session:
        session.round(False, None, quiet)
        before = path.stat()
        path.write_bytes(b"new")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        finish(session)
    assert (pair.target / "file").read_bytes() == b"new"


def test_4_a_write_ahead_log_that_is_gone_at_the_stop(pair: Pair) -> None:
    database = pair.source / "db"
    with pair.session() as session:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE rows (number INTEGER)")
            connection.executemany("INSERT INTO rows VALUES (?)", [(number,) for number in range(1000)])
            connection.commit()
            session.round(False, None, quiet)
            assert (pair.target / "db-wal").exists(), "else this is no trap"
            connection.executemany("INSERT INTO rows VALUES (?)", [(number,) for number in range(500)])
            connection.commit()
        assert not (pair.source / "db-wal").exists()
        finish(session)
    assert not (pair.target / "db-wal").exists()
    pair.assert_equal()
    with closing(sqlite3.connect(pair.target / "db")) as connection:
        assert connection.execute("SELECT count(*) FROM rows").fetchone() == (1500,)


@pytest.mark.usefixtures("quick_clock")
def test_6_times_of_the_first_round_are_exact_so_the_next_sends_nothing(ext4_pair: Pair) -> None:
    for number in range(20):
        (ext4_pair.source / str(number)).write_bytes(os.urandom(50_000))
        os.utime(ext4_pair.source / str(number), ns=(1, 1_700_000_000_123_456_789 + number))
    wait_until_settled(ext4_pair.source, *ext4_pair.source.iterdir())
    with ext4_pair.session() as session:
        session.round(False, None, quiet)
        again = session.round(False, None, quiet)
        assert (again.files, again.changed_bytes, again.examined_bytes) == (0, 0, 0)
    ext4_pair.assert_equal()


def test_7_owners_are_numbers_whatever_they_are_called_here(pair: Pair) -> None:
    (pair.source / "pgdata").mkdir()
    os.chown(pair.source / "pgdata", 999, 70_000)
    pair.copy()
    found = (pair.target / "pgdata").stat()
    assert (found.st_uid, found.st_gid) == (999, 70_000)


def test_8_a_round_that_broke_leaves_a_mark_until_the_target_is_whole(pair: Pair) -> None:
    (pair.source / "file").write_bytes(os.urandom(5 << 20))
    pair.copy()
    assert not (pair.state / "torn").exists()
    (pair.source / "file").write_bytes(os.urandom(5 << 20))
    with pair.session() as session:
        pair.target.joinpath("file").chmod(0)
        session.survey()
        (pair.state / "torn").touch()
        session.close()
    with pair.target.joinpath("file").open("r+b") as stream:
        stream.seek(100_000)
        stream.write(b"half of a round")
    pair.copy()
    assert not (pair.state / "torn").exists()
    pair.assert_equal()


def test_9_only_the_last_round_counts(pair: Pair) -> None:
    """Two files that belong together are copied at different moments before the stop, and together after it."""
    first, second = pair.source / "1 data", pair.source / "2 journal"
    first.write_bytes(b"transaction 1")
    second.write_bytes(b"transaction 1")
    with pair.session() as session:
        session.round(False, None, quiet)
        second.write_bytes(b"transaction 2")
        session.round(False, None, quiet)
        first.write_bytes(b"transaction 2")
        finish(session)
    assert {path.read_bytes() for path in pair.target.iterdir()} == {b"transaction 2"}
