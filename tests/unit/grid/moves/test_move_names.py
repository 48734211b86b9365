"""Names of moves, which say when they were made."""

from __future__ import annotations

import time

import pytest

from migrid.grid import names

TIMES = (1_800_000_000.0, 1_800_000_000.0001, 1_800_000_000.9999, 1_800_000_001.0, 1_800_000_060.5)


def made_at(moment: float, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: moment)
        return names.new_move()


def test_they_come_in_the_order_of_their_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [made_at(moment, monkeypatch) for moment in TIMES]
    assert made == sorted(made)
    assert [names.move(name) for name in made] == made
    assert [names.made_at(name) for name in made] == [int(moment) for moment in TIMES]


def test_those_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({made_at(TIMES[0], monkeypatch) for _ in range(20)}) > 1
