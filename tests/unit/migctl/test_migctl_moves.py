"""The application moves itself, between grids with model engines, through their real gates."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from migctl_rig import HOST_KEY, CountingClock, Inside, dead_service, inside
from owned_grids import OwnedGrids

from migrid.grid.errors import GridError, LockedError, OptionError, UnknownError, UnreachableError
from migrid.grid.model.helpers import ModelHelpers
from migrid.grid.moves.report import Result
from migrid.grid.sides import Action, Right
from migrid.migctl import lock_file
from migrid.migctl.decision import Act
from migrid.migctl.errors import LockFileError, PlaceError
from migrid.migctl.grid_info import Address, GridEntry
from migrid.migctl.grids import Grids, Here
from migrid.migctl.lock_file import LockFile
from migrid.migctl.migration import Wish
from migrid.migctl.properties import Mode

NOW = {"cut_over": "now"}
LATER = {"cut_over": "2099-01-01T00:00:00Z"}


def migrate(**changes: Any) -> Wish:
    return replace(Wish("grid-b", "store", Action.MIGRATE, NOW), **changes)


def is_tidy(grids: OwnedGrids) -> bool:
    """Whether no MigHelper and no lock of a move is left."""
    locks = [grid.state.lock(app) for grid in (grids.a, grids.b) for app in ("shop", "store")]
    return not any(locks) and not ModelHelpers(grids.b.state).present()


def test_a_migration_and_the_start_that_finishes_it(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a, app_config={"TINY_GREETING": "from grid_info"})
    assert there.migration.here() == Here("grid-a", "shop")
    assert not there.migration.plan(migrate()).blocked
    assert there.lock is None
    move = there.migration.start(migrate()).move
    assert there.lock == LockFile("grid-a", "shop", "grid-b", "store", Action.MIGRATE, move)
    news = list(there.migration.follow())
    assert news[-1].report
    assert (news[-1].report.result, news[-1].report.error) == (Result.MIGRATED, "")
    assert (grids.runs("shop"), grids.runs("store")) == (set(), {"grid-b"})

    arrived = inside(grids, grids.b, "store")
    assert arrived.lock
    decision = arrived.migration.starting.run(lambda _: None)
    assert (decision.act, arrived.lock) == (Act.DESTROY_SOURCE, None)
    assert arrived.migration.here() == Here("grid-b", "store")
    assert "preflight" in (arrived.place / "log").read_text()
    assert grids.a.state.right("shop").right is Right.GONE
    assert grids.b.state.properties_file("store").read_text() == 'TINY_GREETING="from grid_info"\n'
    assert is_tidy(grids)
    assert [each.move for each in arrived.migration.history().said["grid-b"]] == [move]
    assert arrived.migration.settle().act is Act.NOTHING


def test_the_start_on_the_target_removes_what_was_left(grids: OwnedGrids) -> None:
    """The move itself destroys the source; where it could not, the application does."""
    there = inside(grids, grids.a)
    move = there.migration.start(migrate(options={**NOW, "destroy_source": "keep"})).move
    there.wait("grid-b", move)
    request = grids.b.state.move_directory(move) / "request.json"
    arrived = inside(grids, grids.b, "store")
    lock = arrived.lock
    assert lock
    assert arrived.migration.settle().act is Act.DISMISS
    assert grids.a.engine().place("shop_store").exists()

    lock_file.write(arrived.place / "lock", lock)
    request.write_text(request.read_text().replace('"keep"', '"after_healthy"'))
    assert arrived.migration.settle().act is Act.DESTROY_SOURCE
    assert not grids.a.engine().place("shop_store").exists()
    assert grids.runs("store") == {"grid-b"}


def test_a_snapshot_and_its_copy_started_by_hand(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    move = there.migration.start(migrate(action=Action.SNAPSHOT)).move
    made = there.wait("grid-b", move).report
    assert made
    assert made.result is Result.SNAPSHOTTED
    decision = inside(grids, grids.a).migration.settle()
    assert (decision.act, decision.text) == (Act.DISMISS, "The snapshot store on grid-b was made.")
    assert there.lock is None
    assert (grids.runs("shop"), grids.runs("store")) == ({"grid-a"}, set())

    assert grids.b.mig_grid("start", "store").returncode == 0
    copy = inside(grids, grids.b, "store")
    assert copy.lock
    before = grids.a.engine().containers("shop")
    assert copy.migration.settle().act is Act.FORGET
    assert copy.lock is None
    assert grids.a.engine().containers("shop") == before
    assert (grids.runs("shop"), grids.runs("store")) == ({"grid-a"}, {"grid-b"})
    assert is_tidy(grids)


@pytest.mark.parametrize("action", Action)
def test_a_move_that_fails_leaves_the_application_where_it_was(grids: OwnedGrids, action: Action) -> None:
    there = inside(grids, grids.a)
    move = there.migration.start(migrate(action=action, options=LATER)).move
    assert inside(grids, grids.a).migration.settle().act is Act.WAIT
    there.migration.cancel()
    assert there.wait("grid-b", move).report
    decision = inside(grids, grids.a).migration.settle()
    assert decision.act is Act.DISMISS
    assert "was not made" in decision.text or "runs here again" in decision.text
    assert (there.lock, grids.runs("shop"), grids.b.state.applications()) == (None, {"grid-a"}, [])
    assert is_tidy(grids)


def test_a_refused_start_leaves_no_lock(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    for wish, error, message in [
        (migrate(app="../etc"), GridError, "cannot name an application"),
        (migrate(options={"cut_over": "soon"}), OptionError, "cut_over: 'soon' is not accepted"),
        (migrate(grid="grid-a"), OptionError, "on grid-a already"),
        (migrate(grid="grid-z"), UnknownError, "grid_info names no grid grid-z; there are grid-a, grid-b"),
    ]:
        with pytest.raises(error, match=message):
            there.migration.start(wish)
        assert there.lock is None
    assert grids.b.state.moves() == []


def test_the_mode_restricts_what_may_be_done(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a, mode=Mode.SNAPSHOT)
    for ask in (there.migration.plan, there.migration.start):
        with pytest.raises(OptionError, match="allows snapshot only"):
            ask(migrate())
    assert not there.migration.plan(migrate(action=Action.SNAPSHOT)).blocked


def test_a_second_start_needs_to_override(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    first = there.migration.start(migrate(options=LATER)).move
    with pytest.raises(LockedError, match="in a move already: migrate to grid-b as store"):
        there.migration.start(migrate(action=Action.SNAPSHOT))
    lock = there.lock
    with pytest.raises(OptionError):
        there.migration.start(migrate(options={"cut_over": "soon"}), override=True)
    assert there.lock == lock
    second = there.migration.start(migrate(action=Action.SNAPSHOT), override=True).move
    assert there.lock
    assert (first != second, there.lock.move) == (True, second)
    assert there.wait("grid-b", second).report
    assert there.migration.settle().act is Act.DISMISS
    assert list(there.place.glob("lock*")) == []


def test_a_lock_is_back_when_what_overrode_it_came_to_nothing(grids: OwnedGrids) -> None:
    """The first move may still be under way then."""
    there = inside(grids, grids.a)
    first = there.migration.start(migrate(options=LATER)).move
    kept = there.lock
    second = there.migration.start(migrate(app="store2", options=LATER), override=True).move
    there.migration.cancel()
    there.wait("grid-b", second)
    assert there.migration.settle().act is Act.DISMISS
    assert there.lock == kept
    there.migration.cancel()
    there.wait("grid-b", first)
    assert there.migration.settle().act is Act.DISMISS
    assert list(there.place.glob("lock*")) == []
    assert grids.runs("shop") == {"grid-a"}


def test_of_two_who_start_at_once_one_does(grids: OwnedGrids) -> None:
    outcomes: list[str] = []

    def start(there: Inside, app: str) -> None:
        try:
            there.migration.start(migrate(app=app, options=LATER))
            outcomes.append("started")
        except LockedError:
            outcomes.append("refused")

    both = [threading.Thread(target=start, args=(inside(grids, grids.a), app)) for app in ("store", "store2")]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(outcomes) == ["refused", "started"]
    assert len(grids.b.state.moves()) == 1
    inside(grids, grids.a).migration.cancel()


class LosesAnswers:
    """A grid whose answer to `start` does not come back."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._service, verb)

    def start(self, *arguments: Any) -> None:
        self._service.start(*arguments)
        raise UnreachableError("Grid grid-b: the connection broke.")


def test_a_start_whose_answer_was_lost_is_found_again(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    there.services["grid-b"] = LosesAnswers(there.services["grid-b"])
    with pytest.raises(UnreachableError):
        there.migration.start(migrate(options=LATER))
    assert there.lock
    assert there.lock.move == ""
    again = inside(grids, grids.a)
    assert again.migration.settle().act is Act.WAIT
    again.migration.cancel()
    again.wait("grid-b", grids.b.state.moves()[0])
    assert again.migration.settle().act is Act.DISMISS


def test_an_earlier_move_is_not_taken_for_one_that_never_began(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    earlier = there.migration.start(migrate(options=LATER)).move
    there.migration.cancel()
    there.wait("grid-b", earlier)
    there.migration.settle()
    lock_file.write(there.place / "lock", LockFile("grid-a", "shop", "grid-b", "store", Action.MIGRATE, after=earlier))
    decision = inside(grids, grids.a).migration.settle()
    assert (decision.act, "never began" in decision.text) == (Act.FORGET, True)


class TestWhatIsNotKnownIsNotGuessed:
    """Grids that do not answer, and records that are gone."""

    def test_a_grid_that_does_not_answer_is_asked_again_with_growing_delays(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        move = there.migration.start(migrate(options=LATER)).move
        there.migration.cancel()
        there.wait("grid-b", move)

        def heal(times: int) -> None:
            if times == 8:
                again.services["grid-b"] = there.services["grid-b"]

        clock = CountingClock(heal)
        again = inside(grids, grids.a, clock=clock)
        again.services["grid-b"] = dead_service(grids, "grid-b")
        told: list[str] = []
        assert again.migration.starting.run(told.append).act is Act.DISMISS
        assert clock.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
        assert len(told) == 1
        assert "does not answer" in told[0]
        assert again.lock is None

    def test_a_source_that_does_not_answer_keeps_the_lock(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        there.wait("grid-b", there.migration.start(migrate()).move)
        arrived = inside(grids, grids.b, "store")
        arrived.services["grid-a"] = dead_service(grids, "grid-a")
        decision = arrived.migration.settle()
        assert decision.act is Act.RETRY
        assert "removed later" in decision.text
        assert arrived.lock

    def test_nobody_knows_this_container(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        there.migration.start(migrate(options=LATER))
        stranger = inside(grids, grids.a, container=grids.container(grids.a, "blog"))
        decision = stranger.migration.settle()
        assert (decision.act, "No grid has this container" in decision.text) == (Act.RETRY, True)
        assert stranger.lock
        there.migration.cancel()

    @pytest.mark.parametrize("moved", [False, True])
    def test_a_target_that_forgot_the_move(self, grids: OwnedGrids, moved: bool) -> None:
        there = inside(grids, grids.a)
        options = NOW if moved else LATER
        move = there.migration.start(migrate(options={**options, "destroy_source": "keep"})).move
        if not moved:
            there.migration.cancel()
        there.wait("grid-b", move)
        shutil.rmtree(grids.b.state.move_directory(move))
        now = inside(grids, grids.b, "store") if moved else inside(grids, grids.a)
        assert now.migration.settle().act is (Act.TELL if moved else Act.FORGET)
        assert grids.a.engine().place("shop_store").exists()
        assert bool(now.lock) is moved

    def test_a_lock_that_is_cut_off(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        move = there.migration.start(migrate(options=LATER)).move
        path = there.place / "lock"
        path.write_bytes(path.read_bytes()[:40])
        decision = inside(grids, grids.a).migration.settle()
        assert decision.act is Act.TELL
        assert "is damaged" in decision.text
        with pytest.raises(LockFileError):
            there.migration.start(migrate())
        assert path.exists()
        assert grids.runs("shop") == {"grid-a"}
        there.services["grid-b"].cancel(move)

    def test_a_grid_that_grid_info_does_not_name_any_more(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        lock = LockFile("grid-a", "shop", "grid-z", "store", Action.MIGRATE)
        lock_file.write(there.place / "lock", lock)
        decision = there.migration.settle()
        assert (decision.act, "does not name grid-z" in decision.text) == (Act.TELL, True)
        assert there.lock == lock

    def test_a_grid_info_that_calls_a_grid_by_the_name_of_another(self, grids: OwnedGrids) -> None:
        there = inside(grids, grids.a)
        there.services["grid-b"] = there.services["grid-a"]
        (target,) = there.migration.targets()
        assert "What grid_info calls grid-b calls itself grid-a" in target.problem
        crossed = inside(grids, grids.a)
        crossed.services.update(zip(("grid-a", "grid-b"), reversed(crossed.services.values()), strict=True))
        with pytest.raises(PlaceError, match="calls itself"):
            crossed.migration.start(migrate())


def test_target_grids_with_what_they_say(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    (target,) = there.migration.targets()
    assert target.facts
    assert (target.name, target.facts.engine, target.facts.free_bytes > 0) == ("grid-b", "26.1.5", True)
    assert there.migration.taken("grid-b", "store") == ""
    there.services["grid-b"] = dead_service(grids, "grid-b")
    (target,) = there.migration.targets()
    assert (target.facts, "does not answer" in target.problem) == (None, True)
    assert "does not answer" in there.migration.history().silent["grid-b"]


def test_a_grid_that_is_off_is_left_alone_for_a_while(grids: OwnedGrids, tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    service = dead_service(grids, "grid-b", first=f"echo >> {attempts}")
    info = {"grid-b": GridEntry("grid-b", Address("192.0.2.1", 22), HOST_KEY)}
    seconds = count(step=10)
    asked = Grids(info, {"grid-b": service}, lambda: float(next(seconds)))
    for expected in (1, 1, 1, 1, 1, 2):
        assert "does not answer" in asked.ask(asked.facts).silent["grid-b"]
        assert len(attempts.read_text()) == expected


def test_nothing_is_followed_or_cancelled_without_a_move(grids: OwnedGrids) -> None:
    there = inside(grids, grids.a)
    for ask in (lambda: list(there.migration.follow()), there.migration.cancel):
        with pytest.raises(UnknownError, match="No move of this application is under way"):
            ask()
