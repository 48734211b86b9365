"""What another grid reaches over SSH, asked with OpenSSH's own client and with ours."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from gate_host import GateHost
from gate_process import Sample
from loopback import free_port
from real_sshd import make_key
from sample_verbs import APP, ARCHIVE, CALLS, LOCK, MOVE, RESULTS

from migrid.grid.errors import EngineError, GridError, LockedError, RefusedError, UnknownError, UnreachableError
from migrid.grid.peers import channels, wire
from migrid.grid.peers.gate import Gate
from migrid.grid.peers.remote import RemoteSource
from migrid.grid.sides import Source
from migrid.grid.state import Peer, State
from migrid.grid.volumes.client import Channel

OTHER_MOVE = "20261121T101112-ffffffff"


def read_all(channel: Channel) -> bytes:
    with os.fdopen(os.dup(channel.reader), "rb") as stream:
        return stream.read()


def test_every_verb_of_a_source_has_a_call_here() -> None:
    methods = {name for name in vars(Source) if not name.startswith("_")}
    assert methods - {"images", "trees"} == set(CALLS) == set(wire.VERBS)


def test_every_verb_goes_there_and_comes_back(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    answers = {verb: getattr(remote, verb)(**arguments) for verb, arguments in CALLS.items()}
    assert answers == RESULTS
    asked = [wire.read_request(line) for line in (host.place / "asked").read_bytes().splitlines()]
    assert dict(asked) == CALLS


def test_an_error_crosses_as_itself(remote: RemoteSource) -> None:
    with pytest.raises(UnknownError, match=r"^There is no application absent here\.$"):
        remote.describe("absent")


def test_a_traceback_does_not_cross(host: GateHost, remote: RemoteSource) -> None:
    host.order("fail")
    with pytest.raises(GridError, match="journal of its host") as error:
        remote.describe(APP)
    assert "secret" not in str(error.value)
    assert remote.describe(APP) == RESULTS["describe"]


def test_a_channel_to_the_trees_is_a_channel_to_the_sender(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    channel = remote.trees(APP, MOVE)
    content = os.urandom(1 << 16)
    os.write(channel.writer, content)
    received = b""
    while len(received) < len(content):
        received += os.read(channel.reader, 1 << 16)
    channel.close()
    assert received == content


def test_an_archive_of_images_comes_whole(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    channel = remote.images(APP, MOVE, ["sha256:aa", "sha256:bb"], frozenset({"sha256:cc"}))
    assert read_all(channel) == ARCHIVE
    channel.close()


def test_what_hinders_a_sender_crosses_as_itself(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    host.order("engine-away")
    with pytest.raises(EngineError, match=r"Grid grid-a .* refuses: the engine is away: it says so$"):
        remote.trees(APP, MOVE)
    host.order("break-sender")
    with pytest.raises(GridError, match="journal of its host") as error:
        remote.trees(APP, MOVE)
    assert "secret" not in str(error.value)


def test_the_end_of_a_sender_is_seen(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    host.order("kill-sender")
    channel = remote.trees(APP, MOVE)
    assert read_all(channel) == b""
    channel.close()


def test_the_rate_is_measured(remote: RemoteSource) -> None:
    assert remote.probe(0.2) > 1e6


@pytest.mark.parametrize("command", ["", "sh", "verbs;id", "$(id)", f"trees ../{APP} {MOVE}"])
def test_nothing_else_is_served(host: GateHost, command: str) -> None:
    host.lock()
    done = host.run(command)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"mig-grid-gate: ")
    assert done.stderr.count(b"\n") == 1
    assert host.asked() == []


@pytest.mark.parametrize(
    "command",
    [
        "verbs now",
        "VERBS",
        "verbs\nid",
        "`id`",
        "trees",
        f"trees {APP}",
        f"trees {APP} {MOVE} more",
        f"trees /etc {MOVE}",
        f"trees {APP}\n {MOVE}",
        f"trees {APP} ../{MOVE}",
        f"images {APP} x",
        f"images '{APP}' {MOVE}",
        f"images Ⅷ {MOVE}",
        f"images  {APP} {MOVE}",
        "scp -f /etc/shadow",
        "internal-sftp",
        "verbs\0",
        "verbs " + "x" * 100_000,
    ],
)
def test_no_other_word_is_known(grid_a: State, capfd: pytest.CaptureFixture[str], command: str) -> None:
    grid_a.write_lock(APP, LOCK)
    assert Gate("grid-b", grid_a, Sample(grid_a.root)).serve(command) == 2
    output, errors = capfd.readouterr()
    assert output == ""
    assert errors.startswith("mig-grid-gate: ")
    assert "Error: " in errors
    assert errors.count("\n") == 1
    assert len(errors) < 2000


def test_no_stream_without_the_lock_of_this_move(host: GateHost, remote: RemoteSource) -> None:
    for locked in (False, True):
        if locked:
            host.state.write_lock(APP, dataclasses.replace(LOCK, move=OTHER_MOVE))
        with pytest.raises(LockedError, match="may not touch it"):
            remote.trees(APP, MOVE)
        with pytest.raises(LockedError, match="may not touch it"):
            remote.images(APP, MOVE, [], frozenset())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (None, "is not locked"),
        ({"target_grid": "grid-c"}, f"lock of move {MOVE} to grid grid-c"),
        ({"move": OTHER_MOVE}, f"lock of move {OTHER_MOVE}"),
    ],
)
def test_no_verb_without_the_lock(
    host: GateHost, remote: RemoteSource, changes: dict[str, str] | None, match: str
) -> None:
    if changes is not None:
        host.state.write_lock(APP, dataclasses.replace(LOCK, **changes))
    for verb in set(CALLS) - {"facts", "describe", "owner", "reaches", "seconds", "lock", "finish"}:
        with pytest.raises(LockedError, match=match):
            getattr(remote, verb)(**CALLS[verb])
    assert host.asked() == []


def test_finish_may_be_asked_again_when_all_is_finished(host: GateHost, remote: RemoteSource) -> None:
    remote.finish(APP, MOVE)
    assert host.asked() == []


def test_finish_does_not_touch_the_lock_of_another_move(host: GateHost, remote: RemoteSource) -> None:
    host.state.write_lock(APP, dataclasses.replace(LOCK, move=OTHER_MOVE))
    with pytest.raises(LockedError):
        remote.finish(APP, MOVE)
    assert host.asked() == []


@pytest.mark.parametrize("change", [{"target_grid": "grid-c"}, {"source_grid": "grid-c"}])
def test_a_grid_locks_only_for_moves_to_itself(host: GateHost, remote: RemoteSource, change: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="for moves to itself"):
        remote.lock(dataclasses.replace(LOCK, **change))
    assert host.asked() == []


def test_a_grid_asks_for_the_way_to_itself_only(host: GateHost, remote: RemoteSource) -> None:
    with pytest.raises(RefusedError, match="the way to itself only"):
        remote.reaches("grid-c")
    assert host.asked() == []


def test_a_path_is_no_application(host: GateHost, remote: RemoteSource) -> None:
    for app in ["../shop", "/etc", "shop/../..", "", ".", "shop\0", "x" * 64]:
        _check_refused(remote, app)
    assert host.asked() == []


def _check_refused(remote: RemoteSource, app: str) -> None:
    for verb, arguments in CALLS.items():
        if "app" in arguments:
            with pytest.raises(GridError, match="cannot name an application"):
                getattr(remote, verb)(**{**arguments, "app": app})
    with pytest.raises(GridError, match="cannot name an application"):
        remote.lock(dataclasses.replace(LOCK, source_app_name=app))


NO_VERBS = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"verb": "trees", "arguments": {"app": "shop", "move": "m"}}',
    b'{"verb": "__init__", "arguments": {}}',
    b'{"verb": ["facts"], "arguments": {}}',
    b'{"verb": "facts", "arguments": {"more": 1}}',
    b'{"verb": "describe", "arguments": {}}',
    b'{"verb": "describe", "arguments": {"app": 7}}',
    b'{"verb": "lock", "arguments": {"lock": {"move": "m"}}}',
    b"\xff\xfe",
]


def test_a_line_that_is_no_verb_is_answered_and_harms_nothing(host: GateHost) -> None:
    done = host.run("verbs", b"\n".join([*NO_VERBS, wire.request("facts", {})]))
    greeting, *refused, answered = done.stdout.splitlines()
    assert greeting.decode() == channels.GREETING
    assert [json.loads(line)["error"] for line in refused] == ["RefusedError"] * len(NO_VERBS)
    assert wire.read_answer("facts", answered) == RESULTS["facts"]
    assert host.asked() == ["facts"]


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_an_endless_line_ends_the_connection(host: GateHost, ending: bytes) -> None:
    done = host.run("verbs", b" " * (wire.REQUEST_BYTES + 1) + ending)
    assert done.returncode == 2
    assert b"at most 1 MiB" in done.stderr


def test_a_grid_that_is_no_peer_any_more_is_refused(host: GateHost, remote: RemoteSource) -> None:
    host.let_in("grid-c")
    with pytest.raises(RefusedError, match="grid-c is no peer of grid grid-a"):
        remote.facts()


def test_a_key_that_is_not_known_is_refused_with_what_to_do(host: GateHost, remote: RemoteSource) -> None:
    (host.ssh / "id_ed25519").unlink()
    make_key(host.ssh / "id_ed25519")
    with pytest.raises(RefusedError, match=r"does not accept this grid's key, .*id_ed25519\.pub.*grids\.yml"):
        remote.facts()


@pytest.mark.parametrize("name", ["grid-a", "grid-z"])
def test_another_host_key_is_refused_with_what_to_do(host: GateHost, name: str) -> None:
    other = make_key(host.place / "other")
    (host.ssh / "known_hosts").write_text(f"{name} {other}")
    with pytest.raises(RefusedError, match=r"host key is not the one in .*known_hosts.*grids\.yml"):
        host.remote().facts()


def test_a_port_where_nothing_listens(host: GateHost) -> None:
    with pytest.raises(UnreachableError, match=r"Grid grid-a \(127\.0\.0\.1, port \d+\) does not answer: .*refused"):
        host.remote(ssh_port=free_port()).facts()


def test_an_address_is_never_an_option(host: GateHost) -> None:
    with pytest.raises(UnreachableError):
        host.remote(address="-oProxyCommand=touch pwned").facts()
    assert not Path("pwned").exists()


@pytest.mark.parametrize("order", ["kill-gate", "kill-connection"])
def test_a_verb_whose_answer_got_lost_is_asked_again(host: GateHost, remote: RemoteSource, order: str) -> None:
    host.lock()
    host.order(order)
    remote.stop(APP, MOVE, None, 60.0)
    assert host.asked() == ["stop", "stop"]


def test_a_connection_that_died_while_idle_is_replaced(host: GateHost, remote: RemoteSource) -> None:
    host.lock()
    remote.facts()
    host.order("kill-connection")
    remote.keep(APP, MOVE, 60.0)
    remote.keep(APP, MOVE, 60.0)
    assert host.asked() == ["facts", "keep", "keep", "keep"]


def test_a_blackhole_is_noticed(host: GateHost, remote: RemoteSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "ALIVE_SECONDS", 1)
    monkeypatch.setattr(channels, "ALIVE_COUNT", 1)
    host.lock()
    host.order("freeze-connection")
    remote.keep(APP, MOVE, 60.0)
    assert host.asked() == ["keep", "keep"]


def test_a_gate_that_says_nothing_is_unreachable(host: GateHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "GREETING_SECONDS", 0.3)
    host.sshd.let_in("cat")
    with pytest.raises(UnreachableError, match="its gate does not answer"):
        host.remote().facts()


def test_something_else_than_a_gate_is_refused(host: GateHost) -> None:
    host.sshd.let_in("echo migrid-gate 2")
    with pytest.raises(RefusedError, match=r"'migrid-gate 2' in place of 'migrid-gate 1'.*same release"):
        host.remote().facts()
    host.sshd.let_in("sudo-is-not-there")
    with pytest.raises(RefusedError, match=r"has no gate for this grid: .*sudo-is-not-there.*grids\.yml"):
        host.remote().facts()


def test_no_key_agent_or_configuration_of_the_caller_is_used() -> None:
    command = channels.Way("grid-a", Peer("192.0.2.1", 2022), Path("/ssh")).command("verbs")
    assert command[:3] == ["ssh", "-F", "none"]
    assert {"IdentityAgent=none", "IdentitiesOnly=yes", "StrictHostKeyChecking=yes", "BatchMode=yes"} <= set(command)
    assert command[-7:] == ["-p", "2022", "-l", "mig-grid", "--", "192.0.2.1", "verbs"]


def test_a_pair_of_channels_is_connected() -> None:
    here, there = channels.pair()
    os.write(here.writer, b"ping")
    os.write(there.writer, b"pong")
    assert (os.read(there.reader, 9), os.read(here.reader, 9)) == (b"ping", b"pong")
    here.close()
    here.close()
    assert os.read(there.reader, 9) == b""
    there.close()
