"""The decision table of start-up: every row, and everything that contradicts itself."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from migrid.grid.sides import Action
from migrid.migctl.decision import Act, Fate, Situation, decide
from migrid.migctl.grids import Here
from migrid.migctl.lock_file import LockFile

MIGRATE = LockFile("grid-a", "shop", "grid-b", "store", Action.MIGRATE)
SNAPSHOT = replace(MIGRATE, action=Action.SNAPSHOT)
SOURCE, TARGET = Here("grid-a", "shop"), Here("grid-b", "store")

# Where it is, the move, what the target grid knows of it, what is done, and what the owner reads.
ROWS = [
    (SOURCE, SNAPSHOT, Fate.DONE, Act.DISMISS, "The snapshot store on grid-b was made."),
    (SOURCE, SNAPSHOT, Fate.UNDONE, Act.DISMISS, "The snapshot store on grid-b was not made."),
    (SOURCE, SNAPSHOT, Fate.GOES_ON, Act.WAIT, "The move to store on grid-b goes on."),
    (SOURCE, SNAPSHOT, Fate.UNKNOWN, Act.RETRY, "is not known yet"),
    (SOURCE, SNAPSHOT, Fate.NONE, Act.FORGET, "never began: grid-b knows nothing of it"),
    (SOURCE, MIGRATE, Fate.UNDONE, Act.DISMISS, "did not succeed: the application runs here again"),
    (SOURCE, MIGRATE, Fate.GOES_ON, Act.WAIT, "goes on"),
    (SOURCE, MIGRATE, Fate.UNKNOWN, Act.RETRY, "is not known yet"),
    (SOURCE, MIGRATE, Fate.NONE, Act.FORGET, "never began"),
    (SOURCE, MIGRATE, Fate.DONE, Act.TELL, "It runs here, although grid-b says that the move brought it there."),
    (TARGET, MIGRATE, Fate.DONE, Act.DESTROY_SOURCE, "The application moved here from shop on grid-a."),
    (TARGET, MIGRATE, Fate.GOES_ON, Act.WAIT, "goes on"),
    (TARGET, MIGRATE, Fate.UNKNOWN, Act.RETRY, "is not known yet"),
    (TARGET, MIGRATE, Fate.UNDONE, Act.TELL, "does not say that the move brought it"),
    (TARGET, MIGRATE, Fate.NONE, Act.TELL, "does not say that the move brought it"),
    *((TARGET, SNAPSHOT, fate, Act.FORGET, "a snapshot of shop on grid-a that somebody started") for fate in Fate),
]


def test_the_table_is_complete() -> None:
    known = {(here, lock.action, fate) for here, lock, fate, *_ in ROWS}
    assert known == set(itertools.product((SOURCE, TARGET), Action, Fate))


@pytest.mark.parametrize(("here", "lock", "fate", "act", "text"), ROWS)
def test_every_row(here: Here, lock: LockFile, fate: Fate, act: Act, text: str) -> None:
    decision = decide(Situation(lock, here=here, fate=fate))
    assert decision.act is act
    assert text in decision.text


def test_only_a_move_that_brought_it_lets_the_source_go() -> None:
    destroying = {
        (here, lock.action, fate)
        for here, lock, fate, *_ in ROWS
        if decide(Situation(lock, here=here, fate=fate)).act is Act.DESTROY_SOURCE
    }
    assert destroying == {(TARGET, Action.MIGRATE, Fate.DONE)}


def test_a_source_that_was_to_be_kept_is_kept() -> None:
    decision = decide(Situation(MIGRATE, here=TARGET, fate=Fate.DONE, keep_source=True))
    assert (decision.act, "keep shop on grid-a" in decision.text) == (Act.DISMISS, True)


def test_without_a_lock_nothing_is_done() -> None:
    for here, fate in itertools.product((None, SOURCE, TARGET), Fate):
        assert decide(Situation(None, here=here, fate=fate)).act is Act.NOTHING


@pytest.mark.parametrize("lock", [MIGRATE, SNAPSHOT])
@pytest.mark.parametrize("fate", Fate)
def test_where_it_is_is_never_guessed(lock: LockFile, fate: Fate) -> None:
    unknown = decide(Situation(lock, here=None, fate=fate, problem="grid-b: does not answer"))
    assert unknown.act is Act.RETRY
    assert "grid-b: does not answer" in unknown.text


@pytest.mark.parametrize("lock", [MIGRATE, SNAPSHOT])
@pytest.mark.parametrize("fate", Fate)
@pytest.mark.parametrize(
    "here", [Here("grid-c", "shop"), Here("grid-a", "store"), Here("grid-b", "shop"), Here("grid-a", "shop2")]
)
def test_a_lock_of_another_application_moves_nothing(lock: LockFile, fate: Fate, here: Here) -> None:
    decision = decide(Situation(lock, here=here, fate=fate))
    assert decision.act is Act.TELL
    assert f"This is {here.app} on {here.grid}, which has no part in it." in decision.text
    assert "migctl forget" in decision.text


@pytest.mark.parametrize("here", [None, SOURCE, TARGET])
@pytest.mark.parametrize("fate", Fate)
def test_what_is_damaged_or_unnamed_moves_nothing(here: Here | None, fate: Fate) -> None:
    damaged = decide(Situation(damaged=True, problem="lock is damaged", here=here, fate=fate))
    assert (damaged.act, damaged.text) == (Act.TELL, "lock is damaged")
    for lock in (MIGRATE, SNAPSHOT):
        unnamed = decide(Situation(lock, unnamed=("grid-b",), here=here, fate=fate))
        assert unnamed.act is Act.TELL
        assert "grid_info does not name grid-b any more" in unnamed.text


def test_a_copy_on_the_same_grid_is_told_apart_by_its_name() -> None:
    lock = replace(SNAPSHOT, target_grid="grid-a", target_app_name="copy")
    assert decide(Situation(lock, here=Here("grid-a", "copy"), fate=Fate.DONE)).act is Act.FORGET
    assert decide(Situation(lock, here=SOURCE, fate=Fate.DONE)).act is Act.DISMISS
