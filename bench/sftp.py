"""Measure grid_sftp against a plain OpenSSH on the same host, with the same ciphers and the same client.

    .venv/bin/python bench/sftp.py [-i INVENTORY] [--host NAME] [--rounds 5] [--mib 512]

The site is the one that build/site.json describes. Ansible reaches the host to start the plain OpenSSH and to publish
the users of the measurement; both are gone when it ends. Use a site that nobody else uses meanwhile: its own users
cannot log in until then. The two servers take turns, so that both see the same foreign load. A transfer is timed
inside of OpenSSH's sftp, from before its first file until after its last; logins are measured on their own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SUMMARY = PROJECT / "build" / "site.json"
PEER_PORT = 2299
SMALL_FILES = 1000
SMALL_BYTES = 4096
MIB = 1 << 20
CLIENTS = (1, 8)
LOGINS = 10
GOAL_SPEED = 0.95
GOAL_LOGIN = 1.2
NOW = "!date +%s.%N"


@dataclass(frozen=True)
class Server:
    """One of the two servers, as a client reaches it."""

    login: str
    address: str
    port: int
    key: Path

    def run(self, *lines: str) -> str:
        """Run lines of a batch file in one connection; returns what sftp prints."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
        flags = [flag for option in (*options, f"User={self.login}") for flag in ("-o", option)]
        command = ["sftp", "-F", "none", *flags, "-i", str(self.key), "-P", str(self.port), "-b", "-", self.address]
        batch = "".join(f"{line}\n" for line in lines)
        return subprocess.run(command, input=batch, stdout=subprocess.PIPE, text=True, check=True).stdout

    def login_seconds(self) -> float:
        start = time.perf_counter()
        self.run("pwd")
        return time.perf_counter() - start


@dataclass(frozen=True)
class Load:
    """What is transferred: each of ``clients`` sends and fetches the files of ``directory``."""

    title: str
    directory: Path
    clients: int
    repeat: int  # how many times as often as other loads: a short one is disturbed more

    def round_trip(self, server: Server) -> tuple[float, float]:
        """Seconds of sending and of fetching, all clients at once."""
        with tempfile.TemporaryDirectory(dir=self.directory.parent) as work:
            up = self._seconds(server, [self._send(client) for client in range(self.clients)])
            down = self._seconds(server, [self._fetch(client, work) for client in range(self.clients)])
        return up, down

    def _send(self, client: int) -> list[str]:
        return [f"mkdir c{client}", NOW, f"put {self.directory}/* c{client}/", NOW]

    def _fetch(self, client: int, work: str) -> list[str]:
        get = f"get c{client}/* {work}/c{client}/"
        return [f"lmkdir {work}/c{client}", NOW, get, NOW, f"rm c{client}/*", f"rmdir c{client}"]

    def _seconds(self, server: Server, batches: Sequence[Sequence[str]]) -> float:
        with ThreadPoolExecutor(self.clients) as pool:
            outputs = list(pool.map(lambda batch: server.run(*batch), batches))
        times = [float(number) for output in outputs for number in re.findall(r"^\d+\.\d+$", output, re.MULTILINE)]
        return max(times) - min(times)


@dataclass(frozen=True)
class Host:
    """The host of grid_sftp, reached through Ansible."""

    inventory: str
    name: str

    def script(self, *arguments: str) -> None:
        """Run bench/sftp_host.sh there."""
        script = f"{PROJECT / 'bench' / 'sftp_host.sh'} {' '.join(arguments)}"
        ansible = [sys.executable, "-m", "ansible", "adhoc", self.name, "-i", self.inventory]
        command = [*ansible, "-m", "ansible.builtin.script", "-a", script]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {done.stdout}{done.stderr}")

    @contextmanager
    def measured(self, public_key: str) -> Iterator[None]:
        """Have the plain OpenSSH and the users of the measurement for a while."""
        try:
            self.script("start", f"'{public_key}'", str(PEER_PORT))
            yield
        finally:
            self.script("stop")


def loads(directory: Path, mib: int) -> Iterator[Load]:
    """The transfers to measure; all clients together move the same amount, however many they are."""
    for clients in CLIENTS:
        large = directory / f"large{clients}"
        large.mkdir()
        with (large / "file").open("wb") as file:
            for _ in range(mib // clients):
                file.write(os.urandom(MIB))
        yield Load(f"{mib} MiB, {clients} x 1 file", large, clients, 1)
        small = directory / f"small{clients}"
        small.mkdir()
        for number in range(SMALL_FILES // clients):
            (small / f"{number:04}").write_bytes(os.urandom(SMALL_BYTES))
        yield Load(f"{SMALL_FILES} x 4 KiB, {clients} x {SMALL_FILES // clients}", small, clients, 4)


def compare_transfers(load: Load, grid: Server, plain: Server, rounds: int) -> None:
    """Print the medians, and grid_sftp's speed as a part of the other's: by the fastest rounds, the least disturbed."""
    times: dict[Server, list[tuple[float, float]]] = {grid: [], plain: []}
    for number in range(rounds * load.repeat):
        for server in (grid, plain) if number % 2 == 0 else (plain, grid):
            times[server].append(load.round_trip(server))
    for direction, index in (("up", 0), ("down", 1)):
        ours, theirs = ([pair[index] for pair in times[server]] for server in (grid, plain))
        ratio = min(theirs) / min(ours)
        print_line(f"{load.title}, {direction}", ours, theirs, ratio, ratio >= GOAL_SPEED)


def compare_logins(host: Host, grid: Server, rounds: int) -> None:
    """Print the seconds of a login with 10 and with 10,000 users."""
    times: dict[int, list[float]] = {10: [], 10_000: []}
    for _, users in itertools.product(range(rounds), times):
        host.script("users", str(users))
        times[users] += [grid.login_seconds() for _ in range(LOGINS)]
    ratio = min(times[10_000]) / min(times[10])
    print_line("login with 10,000 and with 10 users", times[10_000], times[10], ratio, ratio <= GOAL_LOGIN)


def print_line(title: str, first: Sequence[float], second: Sequence[float], ratio: float, good: bool) -> None:
    medians = f"{statistics.median(first):8.3f} {statistics.median(second):8.3f}"
    print(f"{title:40} {medians} {ratio:7.2f}  {'ok' if good else 'MISSED'}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-i", "--inventory", default=str(PROJECT / "inventories" / "embedded"))
    parser.add_argument("--host", help="name in the inventory (default: the first host of build/site.json)")
    parser.add_argument("--address", help="address of the host (default: from build/site.json)")
    parser.add_argument("--port", type=int, help="port of grid_sftp (default: from build/site.json)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each server takes its turn")
    parser.add_argument("--mib", type=int, default=512, help="size of the large file")
    options = parser.parse_args()
    if not (options.host and options.address and options.port):
        if not SUMMARY.exists():
            parser.error(f"{SUMMARY} does not exist: run bin/site, or give --host, --address and --port")
        site = json.loads(SUMMARY.read_text(encoding="utf-8"))
        options.host = options.host or next(iter(site["hosts"]))
        options.address = options.address or site["services"]["grid_sftp"]["host"]
        options.port = options.port or site["services"]["grid_sftp"]["port"]
    return options


def main() -> None:
    options = arguments()
    host = Host(options.inventory, options.host)
    with tempfile.TemporaryDirectory() as name:
        key = Path(name) / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(key)], check=True)
        grid = Server("sftp-bench", options.address, options.port, key)
        plain = Server("sftp-bench-peer", options.address, PEER_PORT, key)
        with host.measured(key.with_suffix(".pub").read_text(encoding="utf-8").strip()):
            print(f"{'median seconds':40} {'grid':>8} {'plain':>8} {'speed':>7}  goal >= {GOAL_SPEED}")
            for load in loads(Path(name), options.mib):
                compare_transfers(load, grid, plain, options.rounds)
            login = [[server.login_seconds() for _ in range(LOGINS)] for server in (grid, plain)]
            print(f"{'login':40} {statistics.median(login[0]):8.3f} {statistics.median(login[1]):8.3f}")
            print(f"{'median seconds':40} {'10,000':>8} {'10':>8} {'ratio':>7}  goal <= {GOAL_LOGIN}")
            compare_logins(host, grid, options.rounds)


if __name__ == "__main__":
    main()
