"""What an owner can do on a grid, over the real gate, and what they cannot."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from owned_grids import OwnedGrids, finished, gate_command
from real_sshd import Sshd, make_key

from migrid.grid.errors import (
    DefinitionError,
    GridError,
    InvalidNameError,
    LockedError,
    OptionError,
    RefusedError,
    RightError,
    UnknownError,
)
from migrid.grid.local.owning import owner_of
from migrid.grid.model.helpers import ModelHelpers
from migrid.grid.moves import report
from migrid.grid.moves.monitored import MonitorSecrets
from migrid.grid.moves.report import Result
from migrid.grid.owners.gate import VERBS, OwnerGate
from migrid.grid.owners.remote import ADVICE, RemoteService
from migrid.grid.owners.service import Service
from migrid.grid.peers import wire
from migrid.grid.peers.channels import GREETING, Way
from migrid.grid.peers.serving import Visitor
from migrid.grid.sides import Right
from migrid.grid.state import Peer, write_json

MOVE = "20300101T000000-0123abcd"
NO_PROCESS = 1 << 22
SHOP = {"app": "shop", "source_grid": "grid-a", "cut_over": "now"}


def options(**changes: str) -> dict[str, str]:
    return SHOP | changes


def test_every_verb_of_the_service_is_served() -> None:
    assert set(VERBS) == {name for name in vars(Service) if not name.startswith("_")}
    assert all(hasattr(RemoteService, verb) for verb in VERBS)


def test_a_grid_names_the_owner_s_applications_only(grids: OwnedGrids) -> None:
    facts = grids.service(grids.a).facts()
    assert (facts.grid, facts.applications, facts.free_bytes > 0) == ("grid-a", ("shop",), True)
    assert grids.service(grids.a, "bob").facts().applications == ("blog",)
    assert grids.service(grids.b).facts().applications == ()


def test_a_container_tells_which_application_asks(grids: OwnedGrids) -> None:
    ada = grids.service(grids.a)
    assert ada.whose(grids.container(grids.a, "shop")) == "shop"
    assert grids.service(grids.b).whose(grids.container(grids.a, "shop")) == ""
    for foreign in (grids.container(grids.a, "blog"), grids.container(grids.a, "wiki"), "", "shop", "*"):
        assert ada.whose(foreign) == ""


def test_names_are_free_or_taken(grids: OwnedGrids) -> None:
    here, there = grids.service(grids.a), grids.service(grids.b)
    assert [there.taken(app) for app in ("shop", "store-2")] == ["", ""]
    for app in ("shop", "blog", "wiki"):
        assert here.taken(app).startswith(f"There is an application {app} on this grid already")
    for app in ("../shop", "shop;id", "", "/", "Shop", "shop\n", "x" * 64):
        assert "cannot name an application" in there.taken(app)


def test_a_plan_says_what_would_be_done_and_changes_nothing(grids: OwnedGrids) -> None:
    plan = grids.service(grids.b).plan(options(), {"TINY_GREETING": "hidden"})
    assert not plan.blocked, plan.text()
    assert plan.downtime_seconds > 0
    assert "TINY_GREETING" in plan.text()
    assert "hidden" not in repr(plan) + plan.text()
    assert grids.a.state.lock("shop") is None
    assert (grids.b.state.moves(), grids.b.state.applications()) == ([], [])


def test_a_move_from_its_start_to_its_end(grids: OwnedGrids) -> None:
    service = grids.service(grids.b)
    started = service.start(options(target_app="store"), {"TINY_GREETING": "from the owner"})
    moved = finished(service, started.move)
    assert moved.report
    assert (moved.report.result, moved.report.error) == (Result.MIGRATED, "")
    assert grids.runs("store") == {"grid-b"}
    assert grids.runs("shop") == set()
    assert grids.b.state.properties_file("store").read_text() == 'TINY_GREETING="from the owner"\n'
    assert "preflight" in service.log(started.move)
    assert "from the owner" not in service.log(started.move) + repr(service.moves())
    assert service.facts().applications == ("store",)
    assert service.whose(grids.container(grids.b, "store")) == "store"
    back = grids.service(grids.a)
    away = finished(back, back.start(options(app="store", source_grid="grid-b", target_app="shop"), {}).move)
    assert away.report
    assert away.report.result is Result.MIGRATED
    assert grids.runs("shop") == {"grid-a"}


def test_the_same_start_again_takes_the_move_up(grids: OwnedGrids) -> None:
    service = grids.service(grids.b)
    first = service.start(options(cut_over="2099-01-01T00:00:00Z"), {})
    assert service.start(options(cut_over="2099-01-01T00:00:00Z"), {}) == type(first)(first.move, attached=True)
    with pytest.raises(LockedError, match=first.move):
        service.start(options(action="snapshot"), {})
    second = service.start(options(action="snapshot", override_lock="true"), {})
    assert second.move != first.move
    assert finished(service, second.move).report


def test_a_cancelled_move_leaves_nothing_behind(grids: OwnedGrids) -> None:
    service = grids.service(grids.b)
    move = service.start(options(cut_over="2099-01-01T00:00:00Z"), {}).move
    with pytest.raises(LockedError, match="not over"):
        service.dismiss(move)
    service.cancel(move)
    service.cancel(move)
    cancelled = finished(service, move)
    assert cancelled.report
    assert cancelled.report.result is Result.CANCELLED
    assert grids.runs("shop") == {"grid-a"}
    for orphan, left in ((move, {}), (MOVE, {MOVE: False})):
        write_json(grids.b.state.root / "helpers" / "shop.json", {"move": orphan, "process": NO_PROCESS})
        service.dismiss(move)
        service.dismiss(move)
        assert ModelHelpers(grids.b.state).present() == left


def test_what_is_not_theirs_is_as_if_it_were_not_there(grids: OwnedGrids) -> None:
    ada, at_source = grids.service(grids.b), grids.service(grids.a)
    for app in ("blog", "wiki", "absent"):
        for verb in (ada.plan, ada.start):
            with pytest.raises(RightError, match=f"^ada has no application {app} there"):
                verb(options(app=app), {})
        with pytest.raises(RightError, match=f"^ada has no application {app} there"):
            at_source.destroy_left(app, MOVE)
    assert grids.b.state.moves() == []
    assert grids.runs("blog") == {"grid-a"}


def test_a_move_of_somebody_else_is_as_if_it_were_not_there(grids: OwnedGrids) -> None:
    bob = grids.service(grids.b, "bob")
    move = bob.start(options(app="blog", cut_over="2099-01-01T00:00:00Z"), {}).move
    ada = grids.service(grids.b)
    assert ada.moves() == ()
    for verb in (lambda: ada.news(move, 0.0, 0.0), lambda: ada.log(move), lambda: ada.cancel(move)):
        with pytest.raises(UnknownError, match=f"ada has no move {move} to grid grid-b"):
            verb()
    with pytest.raises(UnknownError, match="ada has no move"):
        ada.dismiss(move)
    for override in ("false", "true"):
        with pytest.raises(LockedError, match="blog is locked: somebody else's move"):
            ada.start(options(target_app="blog", override_lock=override), {})
    assert "somebody else's move" in ada.taken("blog")
    assert list(ModelHelpers(grids.b.state).present().values()) == [True]
    bob.cancel(move)
    finished(bob, move)


def test_a_forged_move_is_refused(grids: OwnedGrids) -> None:
    service, at_source = grids.service(grids.b), grids.service(grids.a)
    for move in ("", "..", "../moves", MOVE, f"{MOVE}/..", "20300101T000000-0123ABCD", "$(id)", "\0"):
        for verb in (service.cancel, service.log, service.dismiss, lambda name: service.news(name, 0.0, 0.0)):
            with pytest.raises((InvalidNameError, UnknownError)):
                verb(move)
        with pytest.raises((InvalidNameError, RightError)):
            at_source.destroy_left("shop", move)
    assert grids.runs("shop") == {"grid-a"}


WRONG: list[tuple[dict[str, str], type[GridError], str]] = [
    ({"app": "../etc"}, OptionError, "cannot name an application"),
    ({"target_app": "a b"}, OptionError, "cannot name an application"),
    ({"source_grid": "grid-c"}, UnknownError, "no way to grid 'grid-c'"),
    ({"source_grid": "grid-b"}, UnknownError, "no way to grid 'grid-b'"),
    ({"target_grid": "grid-a"}, OptionError, "this is grid-b"),
    ({"action": "destroy"}, OptionError, "migrate or snapshot"),
    ({"plan_only": "true"}, OptionError, "ask for the plan"),
    ({"owner": "bob"}, OptionError, "owner is no option of a move"),
    ({"app_config": "x"}, OptionError, "app_config is no option of a move"),
]


def test_wrong_options_change_nothing(grids: OwnedGrids) -> None:
    service = grids.service(grids.b)
    for changes, error, message in WRONG:
        with pytest.raises(error, match=message):
            service.start(options(**changes), {})
    assert grids.b.state.moves() == []


def test_only_properties_that_the_operator_names_are_taken(grids: OwnedGrids) -> None:
    service = grids.service(grids.b)
    for verb in (service.plan, service.start):
        with pytest.raises(
            RightError, match="may not give the property DATA on this grid, but only: TINY_GREETING"
        ) as error:
            verb(options(), {"TINY_GREETING": "x", "DATA": "/hidden"})
        assert "hidden" not in str(error.value)
    with pytest.raises(DefinitionError, match="TINY_GREETING contains a zero byte"):
        service.start(options(), {"TINY_GREETING": "\0"})
    assert grids.b.state.moves() == []


class TestWhatAMoveLeft:
    """The second line of defence: destroying the source, which the move itself does."""

    @pytest.fixture
    def kept(self, grids: OwnedGrids) -> str:
        """A migration that left the source as it was when it stopped."""
        service = grids.service(grids.b)
        move = service.start(options(destroy_source="keep", target_app="store"), {}).move
        found = finished(service, move).report
        assert found
        assert found.result is Result.MIGRATED
        return move

    def test_it_is_removed_once_and_again(self, grids: OwnedGrids, kept: str) -> None:
        service = grids.service(grids.a)
        for _ in range(2):
            service.destroy_left("shop", kept)
            assert not grids.a.engine().place("shop_store").exists()
            assert grids.a.state.right("shop").right is Right.GONE
        assert grids.runs("store") == {"grid-b"}
        assert grids.runs("blog") == {"grid-a"}

    def test_nothing_goes_by_another_move(self, grids: OwnedGrids, kept: str) -> None:
        with pytest.raises(RightError, match=f"{MOVE} did not take the right"):
            grids.service(grids.a).destroy_left("shop", MOVE)
        with pytest.raises(RightError, match="ada has no application blog"):
            grids.service(grids.a).destroy_left("blog", kept)
        with pytest.raises(RightError, match="bob has no application shop"):
            grids.service(grids.a, "bob").destroy_left("shop", kept)
        assert grids.a.engine().place("shop_store").exists()

    def test_nothing_goes_unless_the_target_says_that_it_has_it(self, grids: OwnedGrids, kept: str) -> None:
        record = grids.b.state.record("store")
        assert record
        other = json.loads((grids.b.state.application_directory("store") / "record.json").read_text())
        path = grids.b.state.application_directory("store") / "record.json"
        for change in ({"settled": False}, {"arrived_by": MOVE}):
            write_json(path, other | change)
            with pytest.raises(RightError, match="does not say that store arrived there"):
                grids.service(grids.a).destroy_left("shop", kept)
        grids.b.mig_grid("destroy", "store", "--yes")
        with pytest.raises(UnknownError):
            grids.service(grids.a).destroy_left("shop", kept)
        assert grids.a.engine().place("shop_store").exists()

    def test_a_snapshot_never_lets_its_source_go(self, grids: OwnedGrids) -> None:
        service = grids.service(grids.b)
        move = service.start(options(action="snapshot"), {}).move
        found = finished(service, move).report
        assert found
        assert found.result is Result.SNAPSHOTTED
        with pytest.raises(RightError, match="did not take the right"):
            grids.service(grids.a).destroy_left("shop", move)
        assert grids.runs("shop") == {"grid-a"}


def test_damaged_moves_are_left_out(grids: OwnedGrids) -> None:
    directory = grids.b.state.move_directory(MOVE)
    directory.mkdir(parents=True)
    (directory / "request.json").write_text("{")
    assert grids.service(grids.b).moves() == ()


def test_an_owner_moves_what_the_operator_moved_before(grids: OwnedGrids) -> None:
    start = [sys.executable, "-m", "migrid.grid.cli", "move", "start", "shop", "--from", "grid-a", "--as", "store"]
    subprocess.run(start, env={**os.environ, **grids.b.environment}, stdout=subprocess.DEVNULL, check=True)
    assert owner_of(grids.b.state, "store") == "ada"
    service = grids.service(grids.a)
    assert not service.plan(options(app="store", source_grid="grid-b", target_app="shop"), {}).blocked


class TestOverSsh:
    """The same through a real sshd, whose forced command is the gate."""

    @pytest.fixture
    def way(self, grids: OwnedGrids, sshd: Sshd) -> Way:
        ssh = grids.place / "ssh"
        ssh.mkdir()
        shutil.copy(sshd.key, ssh)
        (ssh / "known_hosts").write_text(f"grid-a {sshd.host_key}")
        sshd.let_in(" ".join(gate_command(grids.a, "ada")))
        return Way("grid-a", Peer("127.0.0.1", sshd.port, getpass.getuser()), ssh, ADVICE)

    def test_verbs_go_there_and_come_back(self, way: Way) -> None:
        service = RemoteService(way)
        assert service.facts().applications == ("shop",)
        assert "already" in service.taken("shop")
        service.close()

    def test_nothing_else_is_served(self, way: Way) -> None:
        for command in ("", "verbs;id", f"trees shop {MOVE}", "internal-sftp"):
            done = subprocess.run(way.command(command), input=b"", capture_output=True, timeout=30, check=False)
            assert (done.returncode, done.stdout) == (2, b"")
            assert done.stderr == b"mig-grid-owner: RefusedError: an owner may ask for: verbs\n"

    def test_lines_that_are_no_verbs_harm_nothing(self, way: Way) -> None:
        lines = [b"{", b'{"verb": "lock", "arguments": {}}', b'{"verb": "__init__", "arguments": {}}', b"[" * 9999]
        lines += [b'{"verb": "news", "arguments": {"move": "x", "since": "y", "wait": 0}}', wire.request("facts", {})]
        sent = b"\n".join(lines)
        done = subprocess.run(way.command("verbs"), input=sent, capture_output=True, timeout=30, check=False)
        greeting, *refused, answered = done.stdout.splitlines()
        assert greeting.decode() == GREETING
        assert [json.loads(line)["error"] for line in refused] == ["RefusedError"] * (len(lines) - 1)
        assert wire.read_answer("facts", answered, VERBS).grid == "grid-a"

    def test_an_owner_whom_the_grid_does_not_know_any_more(self, grids: OwnedGrids, way: Way, sshd: Sshd) -> None:
        sshd.let_in(" ".join(gate_command(grids.a, "eve")))
        with pytest.raises(RefusedError, match="eve owns no applications as far as grid grid-a knows"):
            RemoteService(way).facts()

    def test_an_unknown_key_is_told_what_to_do(self, way: Way) -> None:
        (way.ssh / "id_ed25519").unlink()
        make_key(way.ssh / "id_ed25519")
        with pytest.raises(
            RefusedError, match=r"this application's owner's key, .*Ask the grid's operator.*grid_owners"
        ):
            RemoteService(way).facts()


def test_no_value_of_a_property_is_shown_to_the_operator(grids: OwnedGrids, tmp_path: Path) -> None:
    service = grids.service(grids.b)
    move = service.start(options(), {"TINY_GREETING": "hidden"}).move
    finished(service, move)
    listed = grids.b.mig_grid("moves", "--json").stdout
    assert json.loads(listed)[0]["request"]["app_config"] == ["TINY_GREETING"]
    assert "hidden" not in listed + grids.b.mig_grid("info", "shop", "--json").stdout
    assert report.read(grids.b.state.move_directory(move))


def test_the_audit_holds_no_secret_of_a_monitor(grids: OwnedGrids, monkeypatch: pytest.MonkeyPatch) -> None:
    audit: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _, text: audit.append(text))
    secrets = MonitorSecrets("5ec7e7", "5ec7e7", "5ec7e7", may_act=True, asks_for_login=True)
    arguments: dict[str, Any] = {"options": options(app="wiki"), "app_config": {}, "monitor": secrets}
    line = wire.request("start", arguments)
    assert wire.read_request(line, VERBS) == ("start", arguments)
    gate = OwnerGate("ada", grids.b.state)
    answer = Visitor("mig-grid-owner", "owner ada")._answer(line, VERBS, gate._carry_out)
    assert any(line.startswith("owner ada: start {'options':") for line in audit)
    assert "5ec7e7" not in "".join(audit) + repr(secrets) + answer.decode()
