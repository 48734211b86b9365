"""A grid behind a real sshd on this machine, whose forced command is the real gate."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from real_sshd import PATIENCE, Sshd, program
from sample_verbs import APP, LOCK

from migrid.grid.peers.channels import Way
from migrid.grid.peers.remote import RemoteSource
from migrid.grid.state import Peer, State

TESTS = Path(__file__).parent


def make_grid(state: State) -> None:
    """Configure grid-a, of which grid-b is a peer."""
    state.root.mkdir()
    state.etc.mkdir()
    peers = {"grid-b": {"address": "192.0.2.2"}}
    grid = {"name": "grid-a", "address": "192.0.2.1", "peers": peers, "app_config": {}}
    (state.etc / "grid.json").write_text(json.dumps(grid))


class GateHost:
    """The host of grid-a, of which grid-b is a peer. `ssh` is the directory of grid-b's keys."""

    def __init__(self, place: Path, sshd: Sshd, gate: str = "gate_process.py") -> None:
        place.mkdir(exist_ok=True)
        self.place = place
        self.sshd = sshd
        self._gate = TESTS / gate
        self.state = State(place / "state", place / "etc")
        self.ssh = place / "ssh"
        (place / "orders").mkdir()
        self.ssh.mkdir()
        make_grid(self.state)
        (self.ssh / "known_hosts").write_text(f"grid-a {sshd.host_key}")
        shutil.copy(sshd.key, self.ssh)
        self.let_in("grid-b")

    def let_in(self, peer: str) -> None:
        path = ":".join(filter(None, sys.path))
        self.sshd.let_in(f"PYTHONPATH={path} {sys.executable} {self._gate} {self.place} {peer}")

    def configure(self, **changes: object) -> None:
        path = self.state.etc / "grid.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def remote(self, **changes: object) -> RemoteSource:
        peer = Peer(**{"address": "127.0.0.1", "ssh_port": self.sshd.port, "account": getpass.getuser(), **changes})
        return RemoteSource(Way("grid-a", peer, self.ssh))

    def order(self, name: str) -> None:
        (self.place / "orders" / name).touch()

    def asked(self) -> list[str]:
        """The verbs that reached the source."""
        path = self.place / "asked"
        return [json.loads(line)["verb"] for line in path.read_text().splitlines()] if path.exists() else []

    def lock(self) -> None:
        self.state.write_lock(APP, LOCK)

    def run(self, command: str, sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Whatever OpenSSH's own client gets for a command."""
        options = ["-F", "none", "-i", self.ssh / "id_ed25519", "-o", f"UserKnownHostsFile={self.ssh / 'known_hosts'}"]
        where = ["-o", "HostKeyAlias=grid-a", "-o", "BatchMode=yes", "-p", str(self.sshd.port), "127.0.0.1"]
        done = subprocess.run(
            [program("ssh"), "-T", *options, *where, command], input=sent, capture_output=True, timeout=PATIENCE
        )
        assert done.returncode != 255, done.stderr
        return done

    def thaw(self) -> None:
        """End a connection that was frozen."""
        if (self.place / "frozen").exists():
            for process in (self.place / "frozen").read_text().split():
                os.kill(int(process), signal.SIGKILL)
