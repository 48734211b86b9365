"""The lock file: what one copy of the application tells the next, and damage to it."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrid.grid.sides import Action
from migrid.migctl import lock_file
from migrid.migctl.errors import LockFileError
from migrid.migctl.lock_file import LockFile

MOVE = "20300101T000000-0123abcd"
LOCK = LockFile("grid-a", "shop", "grid-b", "store", Action.SNAPSHOT, MOVE, "20290101T000000-0123abcd")


@pytest.mark.parametrize("lock", [LOCK, replace(LOCK, action=Action.MIGRATE, move="", after="")])
def test_what_is_written_is_read(tmp_path: Path, lock: LockFile) -> None:
    path = tmp_path / "3tera" / "lock"
    assert lock_file.read(path) is None
    lock_file.write(path, lock)
    assert lock_file.read(path) == lock
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["lock"]
    lock_file.remove(path)
    lock_file.remove(path)
    assert lock_file.read(path) is None


def test_it_has_the_words_that_owners_know(tmp_path: Path) -> None:
    lock_file.write(tmp_path / "lock", LOCK)
    assert json.loads((tmp_path / "lock").read_text()) == {
        "source_grid": "grid-a",
        "source_app_name": "shop",
        "target_grid": "grid-b",
        "target_app_name": "store",
        "action": "snap",
        "move": MOVE,
        "after": "20290101T000000-0123abcd",
    }


def test_one_that_is_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock_file.write(path, LOCK)
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(LockFileError, match=r"lock is damaged .*migctl forget"):
            lock_file.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"source_grid": "../a"},
        {"source_app_name": "shop; id"},
        {"target_app_name": ""},
        {"action": "destroy"},
        {"action": ["snap"]},
        {"move": "../../etc"},
        {"after": 7},
        {"more": "x"},
    ],
)
def test_one_that_says_something_else_is_damaged(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "lock"
    lock_file.write(path, LOCK)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(LockFileError, match="damaged"):
        lock_file.read(path)


def test_one_that_cannot_be_read_is_no_missing_one(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(LockFileError, match="cannot be read"):
        lock_file.read(tmp_path / "lock")


@given(content=st.binary(max_size=300))
def test_any_bytes_are_damage(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-lock"
    path.write_bytes(content)
    with pytest.raises(LockFileError):
        lock_file.read(path)
