"""The site that bench/access.py and bench/portal.py measure, as they reach it: by Ansible, and as its users."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SUMMARY = PROJECT / "build" / "site.json"
HOST_PART = PROJECT / "bench" / "access_host.py"


@dataclass(frozen=True)
class Measured:
    """A user of the measurement, and the ports of the peers."""

    login: str
    password: str = field(repr=False)
    ports: dict[str, int]
    directory: str
    key: Path


@dataclass(frozen=True)
class Host:
    """The host of the site, reached through Ansible."""

    inventory: str
    name: str
    python: str

    def run(self, *arguments: str) -> str:
        """Run bench/access_host.py there: what Ansible prints."""
        script = f"{HOST_PART} {' '.join(arguments)} executable={self.python}"
        ansible = [sys.executable, "-m", "ansible", "adhoc", self.name, "-i", self.inventory]
        command = [*ansible, "-m", "ansible.builtin.script", "-a", script]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def measured(self) -> Iterator[Measured]:
        """Have the user and the peers for a while."""
        with tempfile.TemporaryDirectory() as directory:
            key = Path(directory) / "key"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(key)], check=True)
            public = key.with_suffix(".pub").read_text(encoding="utf-8").strip()
            try:
                output = self.run("start", f"'{public}'")
                made, _ = json.JSONDecoder().raw_decode(output, output.index('{"login"'))
                yield Measured(**made, key=key)
            finally:
                self.run("stop")


def site_of(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Host, dict[str, Any]]:
    """What the arguments say, the host that they mean, and the summary of its site."""
    parser.add_argument("-i", "--inventory", default=str(PROJECT / "inventories" / "embedded"))
    parser.add_argument("--host", help="name in the inventory (default: the first host of build/site.json)")
    parser.add_argument("--python", default="/opt/migrid/venv/bin/python", help="the site's Python there")
    options = parser.parse_args()
    if not SUMMARY.exists():
        parser.error(f"{SUMMARY} does not exist: run bin/site")
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    name = options.host or next(iter(summary["hosts"]))
    return options, Host(options.inventory, name, options.python), summary
