"""A grid behind a real sshd on this machine, whose forced command is the real gate."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from sample_verbs import APP, LOCK

from migrid.grid.channels import Way
from migrid.grid.remote import RemoteSource
from migrid.grid.state import Peer, State

TESTS = Path(__file__).parent
PATIENCE = 20.0


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"the tests need {name}: apt-get install openssh-server openssh-client"
    return found


def make_key(path: Path) -> str:
    """A new key; its public half."""
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return Path(f"{path}.pub").read_text()


def make_grid(state: State) -> None:
    """Configure grid-a, of which grid-b is a peer."""
    state.root.mkdir()
    state.etc.mkdir()
    peers = {"grid-b": {"address": "192.0.2.2"}}
    grid = {"name": "grid-a", "address": "192.0.2.1", "peers": peers, "app_config": {}}
    (state.etc / "grid.json").write_text(json.dumps(grid))


class GateHost:
    """The host of grid-a, of which grid-b is a peer. `ssh` is the directory of grid-b's keys."""

    def __init__(self, place: Path, gate: str = "gate_process.py") -> None:
        place.mkdir(exist_ok=True)
        self.place = place
        self._gate = TESTS / gate
        self.state = State(place / "state", place / "etc")
        self.ssh = place / "ssh"
        self.port = free_port()
        (place / "orders").mkdir()
        self.ssh.mkdir()
        make_grid(self.state)
        (self.ssh / "known_hosts").write_text(f"grid-a {make_key(place / 'host_key')}")
        self.let_in("grid-b", make_key(self.ssh / "id_ed25519"))
        self.process = self._start_sshd()

    def let_in(self, peer: str, public_key: str) -> None:
        gate = f"PYTHONPATH={':'.join(filter(None, sys.path))} {sys.executable} {self._gate}"
        line = f'restrict,command="{gate} {self.place} {peer}" {public_key}'
        (self.place / "authorized_keys").write_text(line)

    def configure(self, **changes: object) -> None:
        path = self.state.etc / "grid.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    def remote(self, **changes: object) -> RemoteSource:
        peer = Peer(**{"address": "127.0.0.1", "ssh_port": self.port, "account": getpass.getuser(), **changes})
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
        where = ["-o", "HostKeyAlias=grid-a", "-o", "BatchMode=yes", "-p", str(self.port), "127.0.0.1"]
        done = subprocess.run(
            [program("ssh"), "-T", *options, *where, command], input=sent, capture_output=True, timeout=PATIENCE
        )
        assert done.returncode != 255, done.stderr
        return done

    def stop(self) -> None:
        if (self.place / "frozen").exists():
            os.kill(int((self.place / "frozen").read_text()), 9)
        self.process.kill()
        self.process.wait()

    def _start_sshd(self) -> subprocess.Popen[bytes]:
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.place / "host_key",
            "AuthorizedKeysFile": self.place / "authorized_keys",
            "PermitRootLogin": "forced-commands-only",
            "StrictModes": "no",
            "UsePAM": "no",
            "PidFile": "none",
            "LogLevel": "VERBOSE",
        }
        configuration = self.place / "sshd_config"
        configuration.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        sshd = [program("sshd"), "-D", "-f", str(configuration), "-E", str(self.place / "sshd.log")]
        process = subprocess.Popen([*_with_own_run(), *sshd])
        wait_for_banner(process, self.port, self.place / "sshd.log")
        return process


def _with_own_run() -> list[str]:
    """Gives root's sshd the directory that it wants in /run."""
    if os.geteuid() != 0 or Path("/run/sshd").is_dir():
        return []
    script = 'mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_for_banner(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                assert connection.recv(4) == b"SSH-"
                return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise AssertionError(f"sshd does not answer: {log.read_text() if log.exists() else ''}")
