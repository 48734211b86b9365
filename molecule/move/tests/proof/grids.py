"""The grids of the inventory, as root on their hosts sees them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[4]
BINARIES = Path(sys.executable).parent
STATE = "/var/lib/migrid/grid"
ENGINES_OWN_NETWORKS = {"bridge", "host", "none"}
SEEN = f"""
docker ps --all --format '{{{{json .}}}}' | sed 's/^/container /'
docker volume ls --format '{{{{.Name}}}}' | sed 's/^/volume /'
docker network ls --format '{{{{.Name}}}}' | sed 's/^/network /'
docker image ls --all --no-trunc --quiet | sort -u | sed 's/^/image /'
cd {STATE} && find . -mindepth 1 ! -path './moves*' ! -path './ssh*' ! -path './exclusive*' -printf 'state %P\\n'
find /run/migrid -mindepth 1 -printf 'run %P\\n'
nft list tables | sed -n 's/^table inet mig_hold/run hold/p'
"""


@dataclass(frozen=True)
class Seen:
    """All that moves may leave on a grid. `state` has the paths below the grid's state, but for moves, keys, and the
    files by which commands wait for each other."""

    containers: frozenset[str]
    running: frozenset[str]
    volumes: frozenset[str]
    networks: frozenset[str]
    images: frozenset[str]
    state: frozenset[str]
    run: frozenset[str]


@dataclass(frozen=True)
class Grid:
    """One grid: a host that is a container on this machine's engine."""

    name: str
    address: str

    def result(self, script: str, content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = ["docker", "exec", "--interactive", self.name, "bash", "-c", script]
        return subprocess.run(command, input=content, capture_output=True, check=False, timeout=300)

    def run(self, script: str, content: bytes | None = None) -> str:
        """What the script prints. It must succeed."""
        result = self.result(script, content)
        printed = result.stdout.decode(errors="replace")
        assert result.returncode == 0, f"{self.name}: {script}\n{printed}\n{result.stderr.decode(errors='replace')}"
        return printed

    def mig_grid(self, *arguments: str) -> Any:
        """What `mig-grid … --json` prints."""
        return json.loads(self.run(shlex.join(["mig-grid", *arguments, "--json"])))

    def seen(self) -> Seen:
        lines = [line.partition(" ")[::2] for line in self.run(SEEN).splitlines()]

        def of(kind: str) -> Iterator[str]:
            return (rest for word, rest in lines if word == kind)

        containers = [json.loads(line) for line in of("container")]
        return Seen(
            containers=frozenset(container["Names"] for container in containers),
            running=frozenset(
                one["Names"] for one in containers if one["State"] in ("running", "restarting", "paused")
            ),
            volumes=frozenset(of("volume")),
            networks=frozenset(of("network")) - ENGINES_OWN_NETWORKS,
            images=frozenset(of("image")),
            state=frozenset(of("state")),
            run=frozenset(of("run")),
        )

    def moves(self) -> list[str]:
        """The names of the moves whose records are kept here, oldest first."""
        return self.run(f"ls {STATE}/moves 2>/dev/null || true").split()

    def journal(self, move: str) -> list[dict[str, Any]]:
        lines = self.run(f"cat {STATE}/moves/{move}/journal.jsonl 2>/dev/null || true").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def answers(self) -> bool:
        """Whether the engine does."""
        return self.result("docker version").returncode == 0


def read_inventory(path: Path) -> list[Grid]:
    """The grids of an inventory, in the order of their names."""
    command = [BINARIES / "ansible-inventory", "--inventory", str(path), "--list"]
    content = json.loads(subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout)
    variables = content["_meta"]["hostvars"]
    hosts = sorted(content["grids"]["hosts"])
    return [Grid(host, variables[host]["system_container_address"]) for host in hosts]
