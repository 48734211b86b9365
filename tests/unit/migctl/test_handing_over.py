"""What MIGCTL hands over to the monitor of a move, and that a move does without."""

from __future__ import annotations

from pathlib import Path

import pytest
from migctl_rig import inside
from owned_grids import OwnedGrids

from migrid.grid.moves import monitored
from migrid.migctl.handing_over import secrets_of
from migrid.migctl.migration import Wish
from migrid.migctl.page.keys import key_of, signing_key
from migrid.migctl.properties import Properties
from migrid.migctl.tls import Pair

LOGIN = Properties("ada", "Sample-Pass-01")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate and a key, with words around them."""
    found = Pair(tmp_path / "certificate.pem", tmp_path / "certificate_key.pem")
    found[0].write_bytes("Ø's certificate\n".encode("latin-1"))
    found[1].write_text("a key\n")
    return found


def test_the_key_of_the_sessions_goes_and_what_it_was_made_of_does_not(tmp_path: Path, pair: Pair) -> None:
    found = secrets_of(tmp_path / "3tera", LOGIN, pair)
    assert found
    key = key_of(tmp_path / "3tera")
    assert found.signing_key == signing_key(key, LOGIN).hex()
    assert (found.private_key, found.may_act, found.asks_for_login) == ("a key\n", True, True)
    handed_over = str(vars(found))
    assert key.hex() not in handed_over
    assert LOGIN.password not in handed_over


@pytest.mark.parametrize(
    ("properties", "may_act"), [(Properties(), False), (Properties(allow_anonymous=True), True), (LOGIN, True)]
)
def test_visitors_may_do_there_what_they_may_do_here(
    tmp_path: Path, pair: Pair, properties: Properties, may_act: bool
) -> None:
    found = secrets_of(tmp_path, properties, pair)
    assert found
    assert (found.may_act, found.asks_for_login) == (may_act, properties is LOGIN)


def test_a_page_without_a_certificate_hands_nothing_over(tmp_path: Path, pair: Pair) -> None:
    pair.key.unlink()
    assert secrets_of(tmp_path, LOGIN, pair) is None


def test_what_cannot_be_read_costs_the_monitor_and_not_the_move(
    grids: OwnedGrids, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = inside(grids, grids.a)
    monkeypatch.setattr(there.migration, "_secrets", lambda: secrets_of(there.place, LOGIN, Pair(tmp_path, tmp_path)))
    started = there.migration.start(Wish("grid-b", options={"cut_over": "now"}))
    assert monitored.secrets_of(grids.b.state.move_directory(started.move)) is None
    assert there.wait("grid-b", started.move).report
