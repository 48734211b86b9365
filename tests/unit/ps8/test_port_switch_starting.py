"""A port switch that cannot start says why."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from switches import Start

RIGHT = {"out1_protocol": "tcp", "out1_in_port": "80", "out1_address": "web"}


def test_wrong_properties_end_it(start: Start) -> None:
    switch = start(out1_protocol="tpc", out2_protocol="tcp", out2_in_port="80-79")

    assert switch.ended() == 2
    assert "ps8: out1_protocol: 'tpc' is not accepted. Accepted is none, tcp, udp or both." in switch.log
    assert "ps8: out2_in_port: '80-79' is not accepted. Accepted is a number from 1 to 65535, a range" in switch.log


@pytest.mark.parametrize(
    ("rights", "properties", "remedy"),
    [
        ((), RIGHT, "cap_add: [NET_ADMIN]"),
        (("net_admin",), {**RIGHT, "out1_proxy_protocol": "yes"}, "cap_add: [NET_ADMIN, KILL, SETGID, SETUID]"),
    ],
)
def test_missing_rights_end_it(start: Start, rights: tuple[str, ...], properties: dict[str, str], remedy: str) -> None:
    switch = start(rights=rights, **properties)

    assert switch.ended() == 1
    assert remedy in switch.log


def test_one_right_is_enough_without_proxies(start: Start) -> None:
    start(rights=("net_admin",), **RIGHT).ready()


def test_the_rules_can_be_read_without_rights() -> None:
    """`--check` prints what would be told to the kernel and to HAProxy, and changes nothing."""
    told = {
        **RIGHT,
        "out1_address": "192.0.2.1",
        "out2_protocol": "tcp",
        "out2_in_port": "443",
        "out2_address": "192.0.2.2",
        "out2_proxy_protocol": "yes",
    }
    done = _check(told)

    assert done.returncode == 0, done.stderr
    assert "tcp dport { 80 } goto out1" in done.stdout
    assert "dnat ip to 192.0.2.1\n" in done.stdout
    assert "server out2 192.0.2.2 send-proxy-v2\n" in done.stdout


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    done = _check({}, "--properties", "/")

    assert done.returncode == 2
    assert "ps8: / cannot be read" in done.stderr


def _check(properties: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrid.ps8", "--check", *options]
    return subprocess.run(command, env=os.environ | properties, capture_output=True, text=True, check=False)
