"""A database keeps its locks, whatever other threads of the process do with the same file."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from migrid.site import database_file
from migrid.site.logins.history import History
from migrid.site.openid.store import Store

LOCK = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')"
READ = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM failures').fetchone()"


def is_locked(path: Path) -> bool:
    """Whether another process cannot write."""
    tried = subprocess.run([sys.executable, "-c", LOCK, str(path)], capture_output=True, text=True, check=False)
    assert tried.returncode == 0 or "database is locked" in tried.stderr, tried.stderr
    return tried.returncode != 0


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(database_file.make, [path] * 8))
    assert (stat.S_IMODE(path.stat().st_mode), list(tmp_path.iterdir())) == (0o600, [path])


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(b"content")
    database_file.make(path)
    assert path.read_bytes() == b"content"


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(OSError, match="symbolic links"):
        database_file.make(tmp_path / "link.db")
    assert not (tmp_path / "elsewhere.db").exists()


def test_to_make_a_file_that_is_there_takes_no_lock_away(tmp_path: Path) -> None:
    path = tmp_path / "locked.db"
    database_file.make(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("BEGIN IMMEDIATE")
        database_file.make(path)
        assert is_locked(path)
        connection.execute("ROLLBACK")
    assert not is_locked(path)


def test_one_thread_of_the_provider_takes_no_lock_of_another_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with store.transaction():
            other = pool.submit(Store, tmp_path)
            assert is_locked(store.path)
        assert other.result().path == store.path


def test_the_history_of_logins_is_in_use_until_its_last_thread_has_left(tmp_path: Path) -> None:
    path = tmp_path / "logins.db"
    with History(path) as first:
        first.note_granted("process", 0.0)
        with History(path):
            pass
        subprocess.run([sys.executable, "-c", READ, str(path)], check=True)
        assert path.with_name("logins.db-wal").exists(), "another process took it for its own, and its end for the last"


def test_a_daemon_that_may_change_no_owner_makes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    database_file.make(tmp_path / "new.db")
    assert list(tmp_path.iterdir()) == [tmp_path / "new.db"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        database_file.make(tmp_path / "new.db")
    assert list(tmp_path.iterdir()) == []
