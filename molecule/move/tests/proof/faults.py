"""Real faults, and the moment at which they strike."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from .grids import STATE, Grid
from .waiting import until

STOP_ENGINE = "systemctl stop docker.socket docker"
START_ENGINE = "systemctl reset-failed docker; systemctl start docker"
"""However often it was started just before."""
VOLUMES = "/var/lib/docker/volumes"
STRIKE = """
import json, os, subprocess, sys, time
root, since, seconds, commands = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), json.loads(sys.argv[4])
print("watching", flush=True)
read = {}
while commands and time.time() < since + seconds:
    for move in os.listdir(root) if os.path.isdir(root) else ():
        path = os.path.join(root, move, "journal.jsonl")
        if not os.path.exists(path) or os.stat(path).st_size == read.get(path):
            continue
        content = open(path).read()
        read[path] = len(content.encode())
        for line in content.splitlines():
            entry = json.loads(line) if line.endswith("}") else {}
            phase = entry["data"]["phase"] if entry.get("event") == "begin" and entry["time"] >= since else ""
            if phase in commands:
                done = subprocess.run(["bash", "-c", commands.pop(phase)], capture_output=True, text=True)
                print(json.dumps([phase, move, done.returncode, done.stderr]), flush=True)
    time.sleep(0.003)
"""
PATIENCE = 120.0


@dataclass
class Strike:
    """Commands that run on a host as soon as a move to a grid begins their phases."""

    phases: tuple[str, ...]
    process: subprocess.Popen[str]
    struck: dict[str, tuple[str, int, str]] = field(default_factory=dict)

    def happened(self, phase: str = "") -> str:
        """The move that was struck in a phase; in the only one, if there are no others."""
        wanted = phase or self.phases[0]
        assert self.process.stdout
        while wanted not in self.struck:
            line = self.process.stdout.readline()
            assert line, f"no move began the phase {wanted} within {PATIENCE:.0f} s"
            name, *what = json.loads(line)
            self.struck[name] = tuple(what)
        if len(self.struck) == len(self.phases):
            self.process.wait()
            self.process.stdout.close()
        move, status, words = self.struck[wanted]
        assert status == 0, words
        return move


def strike(target: Grid, phase: str, command: str) -> Strike:
    """Let a command run on the target's host when the next move there begins a phase."""
    return strikes(target, {phase: command})


def strikes(target: Grid, commands: Mapping[str, str]) -> Strike:
    """The same for several phases of that move."""
    words = ["docker", "exec", "--interactive", target.name, "python3", "-"]
    arguments = [f"{STATE}/moves", str(time.time()), str(PATIENCE), json.dumps(commands)]
    process = subprocess.Popen([*words, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    process.stdin.write(STRIKE)
    process.stdin.close()
    assert process.stdout.readline() == "watching\n"
    return Strike(tuple(commands), process)


def to_helper(signal: str, app: str) -> str:
    """The command that sends MigHelper a signal behind the engine's back."""
    return f"kill -{signal} $(docker top MigHelper_{app} -o pid | tail -n +2)"


def kill_helper(app: str) -> str:
    """The command that kills MigHelper as soon as it runs, which it does not just after it was killed before."""
    killed = f"{to_helper('KILL', app)} 2>/dev/null"
    return f"until {killed}; do docker inspect MigHelper_{app} >/dev/null || exit 1; done"


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
