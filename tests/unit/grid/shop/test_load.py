"""The load client of the shop must see a lost write, a doubled one, and two shops at once; else it proves nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from loopback import free_port, free_ports, until

SHOP = Path(__file__).parents[4] / "examples" / "applications" / "shop"
RATE = 100.0


@pytest.fixture(scope="module")
def load() -> Iterator[ModuleType]:
    sys.path.insert(0, str(SHOP))
    import load as module

    yield module
    sys.path.remove(str(SHOP))
    del sys.modules["load"]


class Shop:
    """What a shop is to its clients, kept in memory. A second one may begin with what another one has."""

    def __init__(self, container: str, writes: list[tuple[int, str]] | None = None) -> None:
        self.instance = {"grid": "here", "container": container, "start": "1"}
        self.writes = list(writes or [])
        self.file: list[tuple[int, str]] | None = None
        self.well = True
        self._lock = threading.Lock()

    def write(self, key: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if not self.well:
                return 503, {"error": "the database is away"}
            number = len(self.writes) + 1
            self.writes.append((number, key))
            return 201, {"number": number, "previous": number - 1, "id": key}

    def all(self) -> tuple[int, dict[str, Any]]:
        return 200, {"database": self.writes, "file": self.writes if self.file is None else self.file}


class Handler(BaseHTTPRequestHandler):
    shop: Shop

    def do_POST(self) -> None:
        self._answer(self.shop.write(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["id"]))

    def do_GET(self) -> None:
        self._answer(self.shop.all())

    def _answer(self, answer: tuple[int, dict[str, Any]]) -> None:
        body = json.dumps({**answer[1], "instance": self.shop.instance}).encode()
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    request_queue_size = 64


@contextmanager
def serving(shop: Shop, port: int = 0) -> Iterator[str]:
    """The shop at an address of this machine."""
    with Server(("127.0.0.1", port), type("Its", (Handler,), {"shop": shop})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def acknowledged(running: Any, more: int = 5) -> None:
    """Return when `more` writes than now are acknowledged."""
    before = sum(answer.acknowledged for answer in running.answers)
    until(lambda: sum(answer.acknowledged for answer in running.answers) >= before + more)


def test_an_honest_shop_is_not_blamed(load: ModuleType) -> None:
    shop = Shop("one")
    with serving(shop) as address:
        with load.Load([address], RATE) as running:
            acknowledged(running, 20)
        verdict = load.judge(running.answers, load.fetch(address))
    assert verdict.acknowledged == len(shop.writes) == verdict.requests
    assert verdict.instances == ("here/one/1",)
    assert verdict.complaints == ()
    assert verdict.outages == ()
    assert verdict.downtime == 0


@pytest.mark.parametrize("place", ["database", "file"])
def test_a_lost_write_is_seen(load: ModuleType, place: str) -> None:
    shop = Shop("one")
    with serving(shop) as address:
        with load.Load([address], RATE) as running:
            acknowledged(running)
        key = shop.writes[-1][1]
        shop.file = list(shop.writes)
        (shop.writes if place == "database" else shop.file).pop()
        verdict = load.judge(running.answers, load.fetch(address))
    (complaint,) = verdict.lost
    assert key in complaint
    assert place in complaint


def test_a_write_under_another_number_is_lost(load: ModuleType) -> None:
    answer = load.Answer("a", "mine", 1.0, 1.1, load.Outcome.ACKNOWLEDGED, number=1, instance="one")
    writes = load.Writes(((1, "other"), (2, "mine")), ((1, "mine"),))
    (complaint,) = load.judge([answer], writes).lost
    assert "database" in complaint


def test_an_unacknowledged_write_may_be_there_or_not(load: ModuleType) -> None:
    answers = [load.Answer("a", key, 1.0, 1.1, load.Outcome.TIMEOUT) for key in ("there", "not there")]
    assert load.judge(answers, load.Writes(((1, "there"),), ((1, "there"),))).complaints == ()


def test_doubled_and_left_out_numbers_are_seen(load: ModuleType) -> None:
    verdict = load.judge([], load.Writes(((1, "a"), (3, "b")), ((1, "a"), (1, "a"))))
    assert "number 2 is missing in the database" in verdict.doubled
    assert "1 is 2 times in the file" in verdict.doubled
    assert "a is 2 times in the file" in verdict.doubled


def test_two_copies_at_once_are_seen(load: ModuleType) -> None:
    first = Shop("one")
    with ExitStack() as stack:
        addresses = [stack.enter_context(serving(first)), f"http://127.0.0.1:{free_port()}"]
        with load.Load(addresses, RATE) as running:
            acknowledged(running)
            second = Shop("two", first.writes)
            stack.enter_context(serving(second, int(addresses[1].rpartition(":")[2])))
            acknowledged(running, 30)
        verdict = load.judge(running.answers, None)
    assert verdict.ran_at_once
    assert verdict.forks
    assert all("here/one/1" in complaint and "here/two/1" in complaint for complaint in verdict.ran_at_once)


def test_a_copy_that_answers_once_is_seen(load: ModuleType) -> None:
    def answer(instance: str, sent: float) -> Any:
        return load.Answer("a", "", sent, sent + 0.1, load.Outcome.DECLINED, instance=instance)

    assert load.judge([answer("one", 1), answer("two", 2), answer("one", 3)], None).ran_at_once
    assert not load.judge([answer("one", 1), answer("one", 2), answer("two", 3)], None).ran_at_once
    assert not load.judge([answer("one", 1), answer("two", 1.05)], None).ran_at_once


def test_a_shop_that_went_back_is_seen(load: ModuleType) -> None:
    def answer(number: int, sent: float) -> Any:
        return load.Answer("a", str(number), sent, sent + 0.1, load.Outcome.ACKNOWLEDGED, number, number - 1, "one")

    (complaint,) = load.judge([answer(1, 1), answer(5, 2), answer(4, 3)], None).forks
    assert complaint == "one gave 4 after one gave 5"
    assert not load.judge([answer(1, 1), answer(5, 2), answer(4, 2.05)], None).forks


def test_a_move_is_one_outage(load: ModuleType) -> None:
    """From the first refused request to the first that the other address accepts, although each misses more."""
    ports = free_ports(2)
    old, new = (f"http://127.0.0.1:{port}" for port in ports)
    first = Shop("one")
    with ExitStack() as servers, load.Load([old, new], RATE) as running:
        with serving(first, ports[0]):
            acknowledged(running)
        stopped = time.time()
        until(lambda: any(a.address == old and a.sent > stopped and not a.acknowledged for a in running.answers))
        second = Shop("two", first.writes)
        servers.enter_context(serving(second, ports[1]))
        started = time.time()
        acknowledged(running)
    verdict = load.judge(running.answers, load.Writes(tuple(second.writes), tuple(second.writes)))
    assert verdict.complaints == ()
    (outage,) = [outage for outage in verdict.outages if outage.until and outage.until > stopped]
    assert outage.since <= started <= outage.until
    assert 0 < verdict.downtime < 2
    assert verdict.by_address[old][-1].until is None
    assert verdict.by_address[new][0].until == outage.until


def test_a_shop_without_its_database_is_an_outage(load: ModuleType) -> None:
    shop = Shop("one")
    with serving(shop) as address:
        with load.Load([address], RATE) as running:
            acknowledged(running)
            shop.well = False
            until(lambda: running.answers[-1].outcome is load.Outcome.DECLINED)
            shop.well = True
            acknowledged(running)
        verdict = load.judge(running.answers, load.fetch(address))
    assert verdict.complaints == ()
    assert [outage.outcomes for outage in verdict.outages] == [("declined",)]


def test_a_silent_shop_times_out(load: ModuleType) -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with load.Load([address], RATE, timeout=0.2) as running:
            until(lambda: any(answer.outcome is load.Outcome.TIMEOUT for answer in running.answers))
    (outage,) = load.judge(running.answers, None).outages
    assert outage.until is None
    assert outage.seconds is None


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, SHOP / "load.py", *arguments]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_prints_its_verdict(tmp_path: Path) -> None:
    with serving(Shop("one")) as address:
        result = command(address, "--seconds", "0.3", "--rate", "50", "--journal", str(tmp_path / "answers"))
    assert result.returncode == 0, result.stderr
    verdict = json.loads(result.stdout)
    assert verdict["acknowledged"] == len((tmp_path / "answers").read_text().splitlines()) > 0
    assert verdict["lost"] == {"count": 0, "first": []}
    assert verdict["downtime_seconds"] == 0


def test_the_command_fails_when_a_write_is_lost() -> None:
    shop = Shop("one")
    shop.file = []
    with serving(shop) as address:
        result = command(address, "--seconds", "0.3", "--rate", "50")
    assert result.returncode == 1, result.stderr
    assert json.loads(result.stdout)["lost"]["count"] == len(shop.writes) > 0
