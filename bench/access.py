#!/usr/bin/env python3
"""Measure a site's SFTP, FTPS and WebDAVS against OpenSSH, vsftpd and nginx on the same host, by the same clients.

    .venv/bin/python bench/access.py [-i INVENTORY] [--host NAME] [--only grid_ftps] [--rounds 3] [--mib 512]

The site is the one that build/site.json describes; use one where nobody works meanwhile. A service and its peer take
turns, so that both see the same foreign load, and the fastest rounds are compared, which are the least disturbed. A
transfer is timed on a connection that is logged in already; logins are measured on their own, and once more with 10,000
other users. Files come from memory and go nowhere. Ansible reaches the host to start the peers; they, and all users and
files of the measurement, are gone when it ends.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from access_site import Host, Measured, site_of

MIB = 1 << 20
SMALL_FILES, SMALL_BYTES = 1000, 4096
CLIENTS = (1, 8)
LOGINS = 15
FEW, MANY = 10, 10_000
GOAL_LARGE, GOAL_SMALL, GOAL_LOGIN = 0.8, 0.5, 1.2
READY = "ready"
"""A small file that is transferred first: after it, the connection is logged in."""


class Client(Protocol):
    """A way to a server."""

    def batch(self, send: bool, files: Sequence[Path], remote: str) -> subprocess.Popen[str]:
        """Start to send or to fetch files, READY first; lines on standard error follow READY and the last file."""


@dataclass(frozen=True)
class Curl:
    """WebDAVS; `url` ends with the directory of the files."""

    url: str
    login: str
    password: str = field(repr=False)

    def batch(self, send: bool, files: Sequence[Path], remote: str) -> subprocess.Popen[str]:
        lines = ["silent", "show-error", "fail-early", "fail", "insecure", "max-time = 120"]
        lines += [f'user = "{self.login}:{self.password}"', 'write-out = "%{stderr}done\\n"']
        for file in files:
            lines.append(f'upload-file = "{file}"' if send else f'output = "{os.devnull}"')
            lines.append(f'url = "{self.url}/{remote}-{file.name}"')
        return started(["curl", "--config", "-"], lines)


@dataclass(frozen=True)
class Lftp:
    """FTPS. Some versions of curl wait a second when a server answers at once."""

    address: str
    port: int
    login: str
    password: str = field(repr=False)
    directory: str

    def batch(self, send: bool, files: Sequence[Path], remote: str) -> subprocess.Popen[str]:
        lines = ["set cmd:fail-exit true", "set net:max-retries 1", "set net:timeout 120", "set xfer:clobber true"]
        lines += ["set ssl:verify-certificate false", "set ftp:ssl-force true", "set ftp:ssl-protect-data true"]
        lines += [f"open --user {self.login} --password {self.password} ftp://{self.address}:{self.port}"]
        for file in files:
            away = f"{self.directory}{remote}-{file.name}"
            lines.append(f"put {file} -o {away}" if send else f"get {away} -o {os.devnull}")
            lines += ["!echo done >&2"] if file is files[0] or file is files[-1] else []
        return started(["lftp", "--norc"], lines)


@dataclass(frozen=True)
class Sftp:
    """SFTP through OpenSSH's client, with a key."""

    address: str
    port: int
    login: str
    directory: str
    key: Path

    def batch(self, send: bool, files: Sequence[Path], remote: str) -> subprocess.Popen[str]:
        known = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
        named = (f"User={self.login}", f"IdentityFile={self.key}")
        flags = [word for option in (*named, *known) for word in ("-o", option)]
        lines = []
        for file in files:
            away = f"{self.directory}sftp-{remote}-{file.name}"
            lines.append(f"put {file} {away}" if send else f"get {away} {os.devnull}")
            lines += ["!echo done >&2"] if file is files[0] or file is files[-1] else []
        return started(["sftp", "-F", "none", *flags, "-P", str(self.port), "-b", "-", self.address], lines)


def started(command: list[str], lines: list[str]) -> subprocess.Popen[str]:
    """A client that reads its orders from standard input."""
    with tempfile.TemporaryFile("w+") as orders:
        orders.write("".join(f"{line}\n" for line in lines))
        orders.seek(0)
        return subprocess.Popen(
            command,
            stdin=orders,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Load:
    """What is transferred: each of `clients` sends and fetches `count` files of `size` bytes."""

    title: str
    clients: int
    count: int
    size: int
    goal: float

    def files(self, memory: Path) -> list[Path]:
        """The files to send, READY first; made when they are not there."""
        directory = memory / f"{self.count}x{self.size}"
        directory.mkdir(exist_ok=True)
        files = [directory / READY, *(directory / f"{number:04}" for number in range(self.count))]
        for file in files:
            if not file.exists():
                with file.open("wb") as output:
                    remaining = 1 if file.name == READY else self.size
                    while remaining:
                        remaining -= output.write(os.urandom(min(remaining, MIB)))
        return files

    def seconds(self, client: Client, send: bool, memory: Path) -> float:
        """How long all clients together take, from the first READY until the last file."""
        sources = self.files(memory)
        with ThreadPoolExecutor(self.clients) as pool:

            def batch(number: int) -> tuple[float, float]:
                return first_and_last(client.batch(send, sources, f"c{number}"))

            times = list(pool.map(batch, range(self.clients)))
        return max(last for _, last in times) - min(first for first, _ in times)


def first_and_last(process: subprocess.Popen[str]) -> tuple[float, float]:
    """When the first and the last line came. Ends the program if the client failed."""
    assert process.stderr is not None
    stamps, lines = [], []
    with process:
        for line in process.stderr:
            stamps.append(time.perf_counter())
            lines.append(line)
    if process.returncode != 0 or not stamps:
        sys.exit(f"{shlex.join(map(str, process.args))} failed: {''.join(lines[-5:])}")  # type: ignore[arg-type]
    return stamps[0], stamps[-1]


def loads(mib: int) -> Iterator[Load]:
    """The transfers to measure; all clients together move the same amount, however many they are."""
    for clients in CLIENTS:
        yield Load(f"{mib} MiB, {clients} x 1 file", clients, 1, mib * MIB // clients, GOAL_LARGE)
        count = SMALL_FILES // clients
        yield Load(f"{SMALL_FILES} x 4 KiB, {clients} x {count}", clients, count, SMALL_BYTES, GOAL_SMALL)


def compare(load: Load, site: Client, peer: Client, rounds: int, memory: Path) -> None:
    """Print the medians, and the site's speed as a part of the peer's."""
    times: dict[tuple[Client, bool], list[float]] = {}
    for number in range(rounds):
        for client in (site, peer) if number % 2 == 0 else (peer, site):
            for send in (True, False):
                times.setdefault((client, send), []).append(load.seconds(client, send, memory))
    for direction, send in (("up", True), ("down", False)):
        ours, theirs = times[site, send], times[peer, send]
        ratio = min(theirs) / min(ours)
        print_line(f"  {load.title}, {direction}", ours, theirs, ratio, f">= {load.goal}", ratio >= load.goal)


def logins(client: Client, memory: Path) -> list[float]:
    """The milliseconds of connections with a login and one small file."""
    load, times = Load("login", 1, 0, 0, 0), []
    for _ in range(LOGINS):
        begin = time.perf_counter()
        load.seconds(client, True, memory)
        times.append((time.perf_counter() - begin) * 1000)
    return times


def compare_logins(services: Mapping[str, tuple[Client, Client]], host: Host, memory: Path) -> None:
    """Print how long logins take beside the peers', and with how many users."""
    print(f"{'login and one byte, in ms':36} {'site':>9} {'peer':>9}")
    for name, (site, peer) in services.items():
        ours, theirs = logins(site, memory), logins(peer, memory)
        print(f"  {name:34} {statistics.median(ours):9.0f} {statistics.median(theirs):9.0f}", flush=True)
    print(f"{'the same':36} {f'{MANY:,}':>9} {f'{FEW}':>9} users")
    times: dict[tuple[str, int], list[float]] = {}
    for users in (FEW, MANY, FEW, MANY):
        host.run("users", str(users))
        for name, (site, _) in services.items():
            times.setdefault((name, users), []).extend(logins(site, memory))
    for name in services:
        many, few = times[name, MANY], times[name, FEW]
        ratio = min(many) / min(few)
        print_line(f"  {name}", many, few, ratio, f"<= {GOAL_LOGIN}", ratio <= GOAL_LOGIN)


def print_line(title: str, ours: Sequence[float], theirs: Sequence[float], ratio: float, goal: str, good: bool) -> None:
    medians = f"{statistics.median(ours):9.3f} {statistics.median(theirs):9.3f}"
    print(f"{title:36} {medians} {ratio:7.2f}  {'ok' if good else 'MISSED'} (goal {goal})", flush=True)


def pairs(summary: Mapping[str, Any], user: Measured) -> dict[str, tuple[Client, Client]]:
    """Each service of the site with its peer, by name."""
    services = summary["services"]
    address = services["grid_sftp"]["host"]
    found: dict[str, tuple[Client, Client]] = {
        "grid_sftp": (
            Sftp(address, services["grid_sftp"]["port"], user.login, "", user.key),
            Sftp(address, user.ports["openssh"], "root", "data/", user.key),
        )
    }
    if "grid_ftps" in services:
        found["grid_ftps"] = (
            Lftp(address, services["grid_ftps"]["port"], user.login, user.password, ""),
            Lftp(address, user.ports["vsftpd"], "anonymous", "bench", "data/"),
        )
    if "grid_webdavs" in services:
        found["grid_webdavs"] = (
            Curl(f"https://{address}:{services['grid_webdavs']['port']}", user.login, user.password),
            Curl(f"https://{address}:{user.ports['nginx']}/data", "bench", "bench"),
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help="one service, such as grid_ftps")
    parser.add_argument("--rounds", type=int, default=3, help="how often each server takes its turn")
    parser.add_argument("--mib", type=int, default=512, help="size of the large file")
    options, host, summary = site_of(parser)
    with host.measured() as user, tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        memory = Path(name)
        services = {key: pair for key, pair in pairs(summary, user).items() if options.only in (None, key)}
        for service, (site, peer) in services.items():
            print(f"{service:36} {'site s':>9} {'peer s':>9} {'speed':>7}")
            for load in loads(options.mib):
                compare(load, site, peer, options.rounds, memory)
        compare_logins(services, host, memory)


if __name__ == "__main__":
    main()
