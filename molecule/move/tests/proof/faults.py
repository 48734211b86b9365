"""Real faults, and the moment at which they strike."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .grids import STATE, Grid
from .waiting import until

STOP_ENGINE = "systemctl stop docker.socket docker"
START_ENGINE = "systemctl reset-failed docker; systemctl start docker"
"""However often it was started just before."""
VOLUMES = "/var/lib/docker/volumes"
STRIKE = """
import json, os, subprocess, sys, time
root, phase, since, seconds, command = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
print("watching", flush=True)
read = {}
while time.time() < since + seconds:
    for move in os.listdir(root) if os.path.isdir(root) else ():
        path = os.path.join(root, move, "journal.jsonl")
        if not os.path.exists(path) or os.stat(path).st_size == read.get(path):
            continue
        content = open(path).read()
        read[path] = len(content.encode())
        for line in content.splitlines():
            entry = json.loads(line) if line.endswith("}") else {}
            if entry.get("event") == "begin" and entry["data"]["phase"] == phase and entry["time"] >= since:
                done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
                print(move, done.returncode, done.stderr, flush=True)
                raise SystemExit
    time.sleep(0.003)
"""
PATIENCE = 120.0


@dataclass
class Strike:
    """A command that runs on a host as soon as a move to a grid begins a phase."""

    phase: str
    process: subprocess.Popen[str]

    def happened(self) -> str:
        """The move that was struck."""
        printed, errors = self.process.communicate(timeout=2 * PATIENCE)
        assert printed, f"no move began the phase {self.phase} within {PATIENCE:.0f} s {errors}"
        move, status, *words = printed.split()
        assert status == "0", " ".join(words)
        return move


def strike(target: Grid, phase: str, command: str) -> Strike:
    """Let a command run on the target's host when the next move there begins a phase."""
    words = ["docker", "exec", "--interactive", target.name, "python3", "-"]
    arguments = [f"{STATE}/moves", phase, str(time.time()), str(PATIENCE), command]
    process = subprocess.Popen(
        [*words, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(STRIKE)
    process.stdin.close()
    process.stdin = None
    assert process.stdout.readline() == "watching\n"
    return Strike(phase, process)


def to_helper(signal: str, app: str) -> str:
    """The command that sends MigHelper a signal behind the engine's back."""
    return f"kill -{signal} $(docker top MigHelper_{app} -o pid | tail -n +2)"


def restart_engine(grid: Grid) -> None:
    """As for an upgrade of the engine: what it runs is stopped, and started again by its restart policy."""
    grid.run(f"{STOP_ENGINE}; {START_ENGINE}")
    until(grid.answers, f"the engine of {grid.name} answers")


def crash_engine(grid: Grid) -> None:
    """The engine dies without a word. When it is back it stops what still runs, and starts `restart: always` again."""
    grid.run(f"systemctl kill --signal=KILL docker; {STOP_ENGINE}; {START_ENGINE}")
    until(grid.answers, f"the engine of {grid.name} answers")


@contextmanager
def cut_off(one: Grid, other: Grid) -> Iterator[None]:
    """No packet crosses between two grids; both reach everybody else."""
    rules = [f"{chain} {side} {other.address} -j DROP" for chain, side in (("INPUT", "-s"), ("OUTPUT", "-d"))]
    one.run(" && ".join(f"iptables -I {rule}" for rule in rules))
    try:
        yield
    finally:
        one.run(" && ".join(f"iptables -D {rule}" for rule in rules))


@contextmanager
def small_disk(grid: Grid, size: str) -> Iterator[None]:
    """The engine keeps its volumes on a file system of their own, which `fill_disk` can make full. The grid must have
    no volumes."""
    grid.run(f"{STOP_ENGINE} && mount -t tmpfs -o size={size} volumes {VOLUMES}")
    grid.run(START_ENGINE)
    try:
        yield
    finally:
        grid.run(f"{STOP_ENGINE} && umount {VOLUMES} && {{ {START_ENGINE}; }}")
        until(grid.answers, f"the engine of {grid.name} answers")


FILL_DISK = f"mount -o remount,size=$(($(df --output=used -B1 {VOLUMES} | tail -1) + 4096)) {VOLUMES}"


def give_port_back(grid: Grid) -> None:
    grid.run("systemctl stop squatter 2>/dev/null || true")


def take_port(port: int) -> str:
    """The command for it, which returns when it listens."""
    return (
        f"systemd-run --quiet --collect --unit=squatter python3 -m http.server {port} && "
        f"until ss -ltnp | grep -q ':{port} .*python3'; do systemctl --quiet is-active squatter || exit 1; done"
    )
