"""What the page says about a move: three meters in one line, for every phase of both actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migrid.grid.application import Port
from migrid.grid.moves.phases import ITINERARIES, POINT_OF_NO_RETURN, Phase
from migrid.grid.moves.progress import MoveProgress
from migrid.grid.moves.report import Report, Result
from migrid.grid.moves.request import DestroySource, Request
from migrid.grid.sides import Action, Forward
from migrid.migctl.page.timeline import Shown, State, effects, ended, result

REQUEST = Request("shop", "grid-a", "grid-b", "store")
REPORT = Report("m", Action.MIGRATE, "shop", "grid-a", "grid-b", "store", Result.MIGRATED)
EVERY = [(action, phase) for action in Action for phase in ITINERARIES[action]]


def under_way(action: Action, phase: Phase, **progress: Any) -> Shown:
    return Shown(replace(REQUEST, action=action), MoveProgress("m", phase=phase, **progress), None, False)


def over(action: Action, outcome: Result, **report: Any) -> Shown:
    found = replace(REPORT, action=action, result=outcome, **report)
    return Shown(replace(REQUEST, action=action), MoveProgress("m", phase=Phase.CLEAN_UP), found, True)


def states(now: Shown) -> list[State]:
    return [step.state for lane in now.lanes for step in lane.steps]


@pytest.mark.parametrize(("action", "phase"), EVERY)
def test_one_step_is_now_and_those_before_it_are_done(action: Action, phase: Phase) -> None:
    now, at = under_way(action, phase), ITINERARIES[action].index(phase)
    later = len(ITINERARIES[action]) - at - 1
    assert states(now) == [State.DONE] * at + [State.NOW] + [State.TO_DO] * later
    assert now.status.endswith(".")
    assert not now.is_good


@pytest.mark.parametrize(("action", "phase"), EVERY)
def test_it_can_be_cancelled_until_the_point_of_no_return(action: Action, phase: Phase) -> None:
    before = ITINERARIES[action].index(phase) <= ITINERARIES[action].index(POINT_OF_NO_RETURN[action])
    assert under_way(action, phase).may_cancel is before
    assert not under_way(action, phase, going_back=True).may_cancel


@pytest.mark.parametrize(("action", "phase"), EVERY)
def test_a_failure_is_shown_where_it_was(action: Action, phase: Phase) -> None:
    at = ITINERARIES[action].index(phase)
    for now in (
        over(action, Result.ROLLED_BACK, failed_phase=phase.value, error="no"),
        under_way(action, phase, going_back=True),
    ):
        assert states(now)[: at + 1] == [State.DONE] * at + [State.FAILED]
        assert set(states(now)[at + 1 :]) <= {State.TO_DO}
        assert not now.is_good


@pytest.mark.parametrize(
    ("action", "outcome"), [(Action.MIGRATE, Result.MIGRATED), (Action.SNAPSHOT, Result.SNAPSHOTTED)]
)
def test_in_the_end_all_is_done(action: Action, outcome: Result) -> None:
    now = over(action, outcome)
    assert set(states(now)) == {State.DONE}
    assert [lane.share for lane in now.lanes] == [1.0, 1.0, 1.0]
    assert (now.is_good, now.kind, now.may_cancel) == (True, "done", False)


def test_the_lanes_say_where_they_are() -> None:
    now = Shown(REQUEST, None, None, False)
    assert [(lane.title, lane.place) for lane in now.lanes] == [
        ("Source application", "shop on grid-a"),
        ("MigHelper", "MigHelper_store on grid-b"),
        ("Target application", "store on grid-b"),
    ]
    assert now.status == "MigHelper is about to begin."
    assert now.may_cancel


def test_bytes_rate_and_time_to_go() -> None:
    now = under_way(Action.MIGRATE, Phase.PRECOPY, round=2, bytes=3 << 20, total_bytes=4 << 20, rate=float(1 << 20),
                    eta_seconds=65.0, predicted_downtime_seconds=2.5)  # fmt: skip
    assert dict(now.details) == {
        "Copied": "3.0 MiB of 4.0 MiB",
        "Rate": "1.0 MiB/s",
        "Still to go": "1 min 05 s",
        "Predicted downtime": "2.5 s",
    }
    step = now.lanes[0].steps[4]
    assert (step.note, step.share) == ("round 2", 0.75)
    assert now.lanes[0].share == pytest.approx(4.75 / 6)


def test_the_time_of_the_stop_is_said_until_it_has_come() -> None:
    later = replace(REQUEST, cut_over="2099-01-01T00:00:00Z")
    copying, stopping = (MoveProgress("m", phase=phase) for phase in (Phase.PRECOPY, Phase.STOP))
    assert ("To be stopped", "2099-01-01T00:00:00Z") in Shown(later, copying, None, False).details
    assert Shown(later, stopping, None, False).details == ()
    assert Shown(replace(REQUEST, cut_over="now"), copying, None, False).details == ()


@pytest.mark.parametrize(("copied", "total"), [(5, 4), (0, 0), (0, None), (7, None)])
def test_figures_that_do_not_fit_stay_a_share(copied: int, total: int | None) -> None:
    now = under_way(Action.MIGRATE, Phase.DELTA, bytes=copied, total_bytes=total)
    assert 0.0 <= now.lanes[1].share <= 1.0


def test_what_holds_it_up_is_said() -> None:
    now = under_way(Action.MIGRATE, Phase.PRECOPY, waiting_for="grid-a does not answer")
    assert now.status == "Copying the data while the application runs. It waits: grid-a does not answer"


@pytest.mark.parametrize("outcome", Result)
def test_every_end_has_a_sentence(outcome: Result) -> None:
    assert ended(replace(REPORT, result=outcome)).endswith(".")


def test_a_report_that_is_not_final_is_still_under_way() -> None:
    now = Shown(REQUEST, MoveProgress("m", phase=Phase.DESTROY_SOURCE), replace(REPORT, left_to_do=("x",)), False)
    assert (now.kind, now.is_good) == ("under-way", False)


def test_a_report_says_all_that_is_known() -> None:
    port = Port("web", 80, "tcp", 8080)
    full = replace(
        REPORT, downtime_seconds=2.0, predicted_downtime_seconds=3.0, rounds=2, bytes_before_stop=1024, verified=True,
        manifest="abc", where=("store on grid-b: runs",), forwards=(Forward(port, "192.0.2.2", 8081),),
        warnings=("careful",), left_to_do=("rest",),
    )  # fmt: skip
    assert dict(result(full)) == {
        "Downtime": "2.0 s",
        "Predicted downtime": "3.0 s",
        "Copied while it ran": "1.0 KiB in 2 rounds",
        "Copied while it was stopped": "0 B",
        "Proven the same": "manifest abc",
        "Where": "store on grid-b: runs",
        "Old address": "tcp port 8080 leads to 192.0.2.2 port 8081",
        "Note": "careful",
        "Still to do": "rest",
    }
    failed = replace(REPORT, result=Result.ROLLED_BACK, failed_phase="start", error="exits")
    assert dict(result(failed)) == {"Failed in": "Starting the application", "Because": "exits"}
    cancelled = replace(failed, result=Result.CANCELLED)
    assert dict(result(cancelled)) == {"Cancelled in": "Starting the application"}


def test_what_a_move_does_before_it_is_confirmed() -> None:
    moved, kept, copied = (
        " ".join(effects(request, 2.0))
        for request in (
            REQUEST,
            replace(REQUEST, destroy_source=DestroySource.KEEP),
            replace(REQUEST, action=Action.SNAPSHOT),
        )
    )
    assert "shop on grid-a and its data are removed from grid-a" in moved
    assert "removed" not in kept + copied
    assert "shop on grid-a stays there, stopped" in kept
    assert "Then it runs on." in copied
    assert "stopped for about 2.0 s" in moved
