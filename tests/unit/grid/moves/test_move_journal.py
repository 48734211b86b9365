"""The journal: what was written is there for the next driver, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from moves_world import FakeClock

from migrid.grid.errors import GridError
from migrid.grid.moves.journal import Failure, Journal, position
from migrid.grid.moves.phases import ITINERARIES, POINT_OF_NO_RETURN, UNDO, Phase, Undo, is_legal
from migrid.grid.sides import Action


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def journal(path: Path) -> Journal:
    return Journal(path, Action.MIGRATE, FakeClock())


def written(path: Path) -> None:
    """A journal whose move locked, and failed then."""
    first = journal(path)
    first.begin(Phase.PREFLIGHT)
    first.note(skew=1.5)
    first.done(Phase.PREFLIGHT)
    first.begin(Phase.LOCK)
    first.close()


def test_another_driver_finds_the_position(path: Path) -> None:
    written(path)
    found = journal(path).position
    assert found.current is Phase.LOCK
    assert set(found.ended) == {Phase.PREFLIGHT}
    assert found.notes == {"skew": 1.5}
    assert found.undos == UNDO[Phase.LOCK]
    assert position(path) == found


def test_a_torn_last_line_never_happened(path: Path) -> None:
    written(path)
    before = position(path)
    whole = path.read_bytes()
    for torn in (b"{", b'{"time":1,"event":"done","data":{"phase":"lock"}}'):
        path.write_bytes(whole + torn)
        assert position(path) == before
    again = journal(path)
    again.done(Phase.LOCK)
    assert Phase.LOCK in position(path).ended


def test_a_damaged_line_is_named(path: Path) -> None:
    written(path)
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    with pytest.raises(GridError, match="line 1"):
        journal(path)


def test_undos_are_taken_off_one_by_one(path: Path) -> None:
    written(path)
    now = journal(path)
    now.failed(Failure(Phase.LOCK, "LockedError", "no"))
    now.undone(Undo.REMOVE_TARGET)
    assert position(path).undos == (Undo.FINISH_SOURCE,)
    assert position(path).failure == Failure(Phase.LOCK, "LockedError", "no")


def test_a_phase_that_begins_again_registers_no_second_undo(path: Path) -> None:
    written(path)
    now = journal(path)
    now.begin(Phase.LOCK)
    assert now.position.undos == UNDO[Phase.LOCK]


def test_of_two_notes_the_first_counts(path: Path) -> None:
    now = journal(path)
    now.note(stop_began=1.0)
    now.note(stop_began=2.0)
    assert now.position.notes == {"stop_began": 1.0}


@pytest.mark.parametrize("phase", [Phase.START, Phase.RESUME_SOURCE, Phase.PREFLIGHT])
def test_phases_cannot_be_skipped_or_taken_again(path: Path, phase: Phase) -> None:
    written(path)
    with pytest.raises(ValueError, match="cannot begin"):
        journal(path).begin(phase)


def test_the_reserve_is_given_up_for_the_journal(path: Path) -> None:
    now = journal(path)
    now.reserve()
    assert path.with_name("reserve").stat().st_blocks > 1000
    now.free_reserve()
    assert not path.with_name("reserve").exists()


@pytest.mark.parametrize("action", Action)
def test_the_table_of_phases_is_whole(action: Action) -> None:
    itinerary = ITINERARIES[action]
    assert len(set(itinerary)) == len(itinerary)
    assert POINT_OF_NO_RETURN[action] in itinerary
    assert [phase for phase in Phase if phase in itinerary] == list(itinerary)
    for before, after in zip((None, *itinerary), itinerary, strict=False):
        assert is_legal(action, before, after)


def test_every_phase_belongs_to_an_action() -> None:
    assert set(Phase) == {phase for itinerary in ITINERARIES.values() for phase in itinerary}


def test_the_target_is_halted_before_the_source_resumes() -> None:
    registered = [undo for phase in ITINERARIES[Action.MIGRATE] for undo in UNDO.get(phase, ())]
    undone = registered[::-1]
    assert undone.index(Undo.HALT_TARGET) < undone.index(Undo.RESUME_SOURCE)
    assert undone[-1] is Undo.FINISH_SOURCE
