"""Predictions, and when another round is worth it."""

from __future__ import annotations

import pytest

from migrid.grid.moves import prediction
from migrid.grid.moves.prediction import Habits, Seen
from migrid.grid.volumes.client import Round, Survey

GIB = 1 << 30
HABITS = Habits(stop=1.0, start=2.0)
SURVEY = Survey(files=20_000, bytes=4 * GIB, recent_bytes=0)


def seen(sent: int, seconds: float, began: float, verify: float = 0.0) -> Seen:
    return Seen(Round(False, 10, sent, sent, sent, seconds, ""), verify, began, began + seconds + verify)


def test_the_downtime_follows_what_changes_and_not_the_size() -> None:
    """100 MiB/s; 10 MiB change each second; the first round took 40 s."""
    rounds = [seen(4 * GIB, 40.0, 0.0), seen(400 << 20, 4.0, 40.0), seen(40 << 20, 0.4, 44.0)]
    first = prediction.downtime(HABITS, SURVEY, rounds[:1])
    second = prediction.downtime(HABITS, SURVEY, rounds[:2])
    third = prediction.downtime(HABITS, SURVEY, rounds)
    assert third < second
    assert HABITS.stop + HABITS.start < third < HABITS.stop + HABITS.start + 1.0
    assert first < 5.0


def test_recent_files_count_in_the_first_prediction() -> None:
    quiet = prediction.downtime(HABITS, SURVEY, [seen(4 * GIB, 40.0, 0.0)])
    busy = prediction.downtime(HABITS, Survey(20_000, 4 * GIB, GIB), [seen(4 * GIB, 40.0, 0.0)])
    assert busy - quiet == pytest.approx(10.0)


def test_rounds_end_when_they_do_not_help_any_more() -> None:
    assert not prediction.is_ready([10.0])
    assert not prediction.is_ready([10.0, 8.0])
    assert prediction.is_ready([10.0, 8.0, 7.5])
    assert prediction.is_ready([10.0, 11.0])
    falling = [100.0 / 2**number for number in range(prediction.MAX_ROUNDS)]
    assert not prediction.is_ready(falling[:-1])
    assert prediction.is_ready(falling)


def test_the_last_round_before_a_time_ends_before_it() -> None:
    last = seen(100, 10.0, 0.0)
    assert prediction.next_moment(last, at=1000.0) == 10.0 + prediction.PAUSE_BETWEEN_ROUNDS
    assert prediction.next_moment(last, at=50.0) == 35.0
    assert prediction.next_moment(seen(100, 10.0, 36.0), at=50.0) == 50.0
    assert prediction.next_moment(last, at=0.0) == 0.0
