#!/usr/bin/env python3
"""Measure the port switch against a direct connection, in network namespaces on one bridge, as containers have it.

    sudo .venv/bin/python bench/port_switch.py [--rounds 15] [--mib 1024] [--connections 3000]

The server is nginx. One client fetches a large file, opens one connection after another for a small one, and asks again
and again within one connection. The ways to the server take turns:

    direct     no host in between
    router     a host that only passes packets on: the limit for whatever stands in between
    ps8        an output of the port switch
    ps8 proxy  an output that tells the server who the client is (PROXY protocol 2, by HAProxy)
    nginx      the same by the stream module of nginx, which knows version 1 only

Needs root, and the programs ip, nft, haproxy, nginx with its stream module, curl, and ab of the package apache2-utils.
All figures are medians of the rounds; those of a way are compared with the direct ones of the same round. Client,
server and what is in between share the processors of this machine: whatever is in between takes from the others.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT / "tests/unit/ps8"), str(PROJECT / "tests/unit")]

from loopback import until  # noqa: E402
from namespaces import Host, Wire  # noqa: E402
from switches import PortSwitch  # noqa: E402

GOAL_THROUGHPUT, GOAL_CONNECTIONS, GOAL_LATENCY = 0.9, 0.7, 0.2
CLIENTS = 8
QUESTIONS = 1000
MIB = 1 << 20
PLAIN, PROXIED = 8080, 8081
FAR_CLIENT, FAR_SERVER = "10.78.0.1", "10.78.0.2"
"""Addresses that are reached through the router only."""

SERVER = """\
daemon off;
worker_processes 1;
error_log stderr error;
pid {root}/server.pid;
events {{}}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    server {{
        listen {plain} backlog=4096;
        listen {proxied} proxy_protocol backlog=4096;
        root {root}/files;
    }}
}}
"""
STREAM = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 2;
error_log stderr error;
pid {root}/stream.pid;
events {{}}
stream {{
    server {{
        listen {proxied} backlog=4096;
        proxy_protocol on;
        proxy_pass {server}:{proxied};
    }}
}}
"""


@dataclass(frozen=True)
class Way:
    """How the client reaches the server."""

    name: str
    client: str
    address: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@dataclass(frozen=True)
class Figures:
    """Bytes and connections a second, and seconds of one question."""

    throughput: float
    connections: float
    latency: float


def throughput(client: Host, way: Way) -> float:
    """Bytes a second of a large file."""
    command = ["curl", "--silent", "--fail", "--interface", way.client, "--output", os.devnull]
    return float(client.run(*command, "--write-out", "%{speed_download}", f"{way.url}/large"))


def connections(client: Host, way: Way, count: int) -> float:
    """Connections a second, each with one question."""
    report = client.run("ab", "-q", "-n", str(count), "-c", str(CLIENTS), "-B", way.client, f"{way.url}/small")
    failed, rate = re.search(r"Failed requests: +(\d+)", report), re.search(r"Requests per second: +([0-9.]+)", report)
    if not rate or not failed or int(failed[1]):
        sys.exit(f"{way.name}: {report}")
    return float(rate[1])


def latency(client: Host, way: Way) -> float:
    """Median seconds from a question to its answer, within one connection."""
    with client.inside():
        connection = socket.create_connection((way.address, way.port), source_address=(way.client, 0))
    question = f"HEAD /small HTTP/1.1\r\nHost: {way.address}\r\n\r\n".encode()
    times = []
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            connection.sendall(question)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200 "):
                sys.exit(f"{way.name}: the server does not answer as it should")
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def measured(client: Host, way: Way, count: int) -> Figures:
    return Figures(throughput(client, way), connections(client, way, count), latency(client, way))


@contextmanager
def ways(root: Path) -> Iterator[tuple[Host, list[Way]]]:
    """The client, and its ways to the server."""
    wire = Wire()
    client, server, router, switching, streaming = (
        wire.connect(name) for name in ("client", "server", "router", "switching", "streaming")
    )
    make_router(client, router, server)
    run = Programs(root)
    try:
        run.nginx(server, SERVER.format(root=root, plain=PLAIN, proxied=PROXIED))
        run.nginx(streaming, STREAM.format(root=root, proxied=PROXIED, server=server.address))
        switch = run.switch(switching)
        yield (
            client,
            [
                Way("direct", client.address, server.address, PLAIN),
                Way("router", FAR_CLIENT, FAR_SERVER, PLAIN),
                Way("ps8", client.address, switch.address, PLAIN),
                Way("ps8 proxy", client.address, switch.address, PROXIED),
                Way("nginx", client.address, streaming.address, PROXIED),
            ],
        )
    finally:
        run.end()
        for host in (client, server, router, switching, streaming, wire):
            host.remove()


def make_router(client: Host, router: Host, server: Host) -> None:
    """Addresses of the client and of the server between which the router stands, both ways."""
    router.run("sysctl", "--quiet", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0")
    router.run("sysctl", "--quiet", "net.ipv4.conf.eth0.send_redirects=0")
    for host, address, other in ((client, FAR_CLIENT, FAR_SERVER), (server, FAR_SERVER, FAR_CLIENT)):
        host.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        host.run("ip", "route", "add", other, "via", router.address, "src", address)
        router.run("ip", "route", "add", address, "via", host.address)


class Programs:
    """What runs on the hosts during the measurement."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: list[Callable[[], object]] = []

    def nginx(self, host: Host, configuration: str) -> None:
        file = self._root / f"{host.name}.conf"
        file.write_text(configuration, encoding="utf-8")
        process = subprocess.Popen(host.command("nginx", "-e", "stderr", "-c", str(file)))
        self._running += [process.wait, process.terminate]
        until(lambda: f":{PROXIED}" in host.run("ss", "--listening", "--tcp", "--numeric"))

    def switch(self, host: Host) -> PortSwitch:
        properties = {
            "out1_protocol": "tcp",
            "out1_in_port": str(PLAIN),
            "out1_address": "server",
            "out2_protocol": "tcp",
            "out2_in_port": str(PROXIED),
            "out2_address": "server",
            "out2_proxy_protocol": "yes",
        }
        names = {"server": host.address.rpartition(".")[0] + ".2"}
        switch = PortSwitch(host, self._root / "switch", properties, names)
        self._running.append(switch.stop)
        return switch.ready()

    def end(self) -> None:
        for stop in reversed(self._running):
            stop()


def make_files(root: Path, mib: int) -> None:
    files = root / "files"
    files.mkdir()
    (files / "small").write_bytes(b"x" * 100)
    with (files / "large").open("wb") as large:
        large.truncate(mib * MIB)
    for directory in (root, files):
        directory.chmod(0o755)


def show(rounds: list[dict[str, Figures]]) -> None:
    """Print the figures of each way, and as parts of those of the direct one and of the router."""
    parts = f"{'of direct':>10} {'of router':>10}"
    print(f"{'':10} {'MiB/s':>8} {parts} {'connections/s':>14} {parts} {'added ms':>9}")
    for name in rounds[0]:
        speed = statistics.median(found[name].throughput for found in rounds) / MIB
        rate = statistics.median(found[name].connections for found in rounds)
        (of_speed, of_rate), (router_speed, router_rate) = (part(rounds, name, other) for other in ("direct", "router"))
        added = statistics.median(found[name].latency - found["direct"].latency for found in rounds) * 1000
        speeds = f"{speed:8.0f} {of_speed:10.2f} {router_speed:10.2f}"
        print(f"{name:10} {speeds} {rate:14.0f} {of_rate:10.2f} {router_rate:10.2f} {added:9.3f}")
        if name == "ps8":
            met = (of_speed >= GOAL_THROUGHPUT, of_rate >= GOAL_CONNECTIONS, added < GOAL_LATENCY)
    said = ["ok" if good else "MISSED" for good in met]
    print(f"ps8: throughput {said[0]} (goal >= {GOAL_THROUGHPUT}), connections {said[1]} (goal >= {GOAL_CONNECTIONS}),")
    print(f"     latency {said[2]} (goal < {GOAL_LATENCY} ms)")


def part(rounds: list[dict[str, Figures]], name: str, other: str) -> tuple[float, float]:
    """Throughput and connections of one way as parts of those of another."""
    pairs = [(found[name], found[other]) for found in rounds]
    throughputs = statistics.median(one.throughput / base.throughput for one, base in pairs)
    return throughputs, statistics.median(one.connections / base.connections for one, base in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="how often each way is measured (default: %(default)s)")
    parser.add_argument("--mib", type=int, default=1024, help="size of the large file (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=3000, help="connections of a round (default: %(default)s)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench/port_switch.py needs root, for the network namespaces.")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        root = Path(directory)
        make_files(root, options.mib)
        with ways(root) as (client, found):
            show(
                [{way.name: measured(client, way, options.connections) for way in found} for _ in range(options.rounds)]
            )


if __name__ == "__main__":
    main()
