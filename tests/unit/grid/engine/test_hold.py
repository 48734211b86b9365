"""Ports that let nobody in, by the kernel's own packet filter in a network of their own."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

import pytest

from migrid.grid.application import Container, Port, Probe
from migrid.grid.errors import EngineError
from migrid.grid.hold import NftHold, ruleset, table
from migrid.grid.local.probing import ask

CLONE_NEWNET = 0x40000000
Value = TypeVar("Value")
Alone = Callable[[Callable[[], Value]], Value]


@pytest.fixture
def alone() -> Iterator[Alone[object]]:
    """Carries out calls in a thread that has a network for itself."""

    def leave() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    with ThreadPoolExecutor(max_workers=1, initializer=leave) as pool:
        yield lambda call: pool.submit(call).result()


def port(number: int, address: str = "", protocol: str = "tcp") -> Port:
    return Port("web", 8080, protocol, number, address)


def answers(number: int, address: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((address, number), 2).close()
    except ConnectionRefusedError:
        return False
    return True


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def probed(number: int) -> None:
    container = Container("1", "shop-web-1", "web", 1, "image", "web", "running", ports=(port(number),))
    ask(Probe("web", 8080), [container])


def test_held_ports_let_in_nobody_but_the_probe(alone: Alone[object]) -> None:
    def told() -> list[bool]:
        hold, seen = NftHold(), []
        with closing(listening()) as one, closing(listening()) as other:
            number = one.getsockname()[1]
            for change in (
                lambda: hold.check("the-shop", [port(number)]),
                lambda: hold.put("the-shop", [port(number)]),
                lambda: probed(number),
                lambda: hold.put("the-shop", [port(other.getsockname()[1], "127.0.0.1")]),
                lambda: hold.put("other", [port(number, "127.0.0.2")]),
                lambda: hold.put("the-shop", []),
                lambda: hold.put("the-shop", [port(number, "0.0.0.0"), port(number, protocol="udp")]),  # noqa: S104
                lambda: hold.end("the-shop"),
                lambda: hold.end("the-shop"),
            ):
                change()
                seen.append(answers(number))
        return seen

    assert alone(told) == [True, False, False, True, True, True, False, True, True]


def test_a_host_that_cannot_hold_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match="install the package nftables"):
        NftHold().end("shop")


def test_what_the_packet_filter_refuses(alone: Alone[object]) -> None:
    def told() -> None:
        NftHold().check("shop", [port(70000)])

    with pytest.raises(EngineError, match=r"cannot hold ports back: .* out of range"):
        alone(told)


def test_names_of_tables() -> None:
    assert table("my-shop_2") == "mig_hold_my.shop_2"
    assert "ip6 daddr ::1 udp dport 53 reject" in ruleset("shop", [port(53, "::1", "udp")])
    assert os.sep not in table("shop")
