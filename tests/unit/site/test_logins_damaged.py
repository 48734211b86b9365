"""A history of logins that is damaged keeps nobody out, and lets nobody in who should not come in."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sample_site import ACCOUNT, SampleSite
from test_logins import PASSWORD, QUICK_HASH, START, Door, at_once
from test_logins_pam import AUTH, mig_login
from test_reconcile import ADA

from migrid.site.access import as_account
from migrid.site.configuration import load
from migrid.site.errors import StoreError
from migrid.site.logins import Attempt, Method, Reason, Service, history
from migrid.site.logins.history import Guess, History

PAGE = 4096
Damage = Callable[[Path], object]


@pytest.fixture
def door(sample_site: SampleSite) -> Door:
    """A site with Ada, whose history has some pages."""
    site = Door(sample_site)
    site.apply({**ADA, "password_hash": QUICK_HASH})
    site.guess(5, login="nobody")
    assert site.password().granted
    return site


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said to the system log."""
    lines: list[str] = []
    monkeypatch.setattr(history, "syslog", lambda _, line: lines.append(line))
    return lines


def path_of(door: Door) -> Path:
    return door.sample.state / "mig_system_run" / "logins.db"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 100)


def overwrite(page: int, content: bytes) -> Damage:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(page * PAGE)
            file.write((content * PAGE)[:PAGE])

    return damage


def replace(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to look at it" * 1000)


def forget_schema(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("DROP TABLE failures")


def spoil_schema(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE INDEX failures", b"CREATE INDEX \xf1\xf1ailures"))


DAMAGES: list[Damage] = [
    cut,
    overwrite(0, b"\0"),
    overwrite(1, b"\xa5"),
    overwrite(2, b"\0"),
    replace,
    forget_schema,
    spoil_schema,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_history_is_begun_anew(door: Door, journal: list[str], damage: Damage) -> None:
    damage(path_of(door))
    damaged = path_of(door).read_bytes()
    assert door.password("wrong").reason is Reason.WRONG
    assert door.password().granted
    assert door.guess(6) == [Reason.WRONG] * 5 + [Reason.TOO_EARLY]
    (line,) = journal
    assert str(path_of(door)) in line
    assert "who had to wait is forgotten" in line
    assert path_of(door).read_bytes() == damaged
    new = path_of(door).with_name("logins.2.db").stat()
    assert (stat.S_IMODE(new.st_mode), new.st_uid) == (0o600, ACCOUNT)


def test_an_empty_file_is_a_new_history(door: Door, journal: list[str]) -> None:
    os.truncate(path_of(door), 0)
    assert door.password().granted
    assert journal == []


def test_of_damaged_histories_the_last_is_kept(door: Door, journal: list[str]) -> None:
    directory = path_of(door).parent
    for name in ("logins.db", "logins.2.db", "logins.3.db"):
        replace(directory / name)
        assert door.password().granted
    assert [path.name for path in sorted(directory.glob("logins*.db"))] == ["logins.3.db", "logins.4.db"]
    assert len(journal) == 3


def test_a_guess_in_a_damaged_history_withdraws_none_in_the_next(tmp_path: Path, journal: list[str]) -> None:
    path = tmp_path / "logins.db"
    with History(path) as before:
        lost = [before.admit(Guess("ada", "", "", f"guess {number}"), START) for number in range(9)]
    replace(path)
    with History(path) as after:
        after.admit(Guess("bo", "", "", "guess"), START)
        for admission in lost:
            after.withdraw(admission)
        assert after.forget("bo", "192.0.2.1") == 1
    assert len(journal) == 1


def test_who_asks_through_pam_is_let_in(door: Door) -> None:
    cut(path_of(door))
    assert mig_login(door, b"Wrong.1", **AUTH).returncode == 1
    assert mig_login(door, PASSWORD.encode(), **AUTH).returncode == 0


def test_processes_that_notice_at_once_begin_one_history(door: Door) -> None:
    replace(path_of(door))
    works = [f"for n in range(5): print(door.password(f'guess{{n}} of {process}').reason)" for process in range(4)]
    assert sorted(at_once(door, works)) == ["too_early"] * 15 + ["wrong"] * 5
    assert sorted(path.name for path in path_of(door).parent.glob("logins*.db")) == ["logins.2.db", "logins.db"]


def test_threads_that_notice_at_once_begin_one_history(door: Door, journal: list[str]) -> None:
    replace(path_of(door))
    guesses = [Attempt(Service.DAVS, Method.PASSWORD, "ada@example.org", "192.0.2.1")] * 24
    with as_account(load(door.sample.conf)), ThreadPoolExecutor(8) as pool:
        shared = door.logins()
        outcomes = pool.map(lambda number: shared.by_password(guesses[number], f"guess{number}"), range(24))
        reasons = [outcome.reason for outcome in outcomes]
    assert sorted(reasons) == ["too_early"] * 19 + ["wrong"] * 5
    assert len(journal) == 1


def test_what_is_no_file_is_no_damage(door: Door, journal: list[str]) -> None:
    path_of(door).unlink()
    path_of(door).mkdir()
    with pytest.raises(StoreError, match=r"logins\.db"):
        door.password()
    assert journal == []
