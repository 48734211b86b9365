"""A real sshd on this machine, which lets one key in, to one command."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from loopback import free_port

PATIENCE = 20.0


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"the tests need {name}: apt-get install openssh-server openssh-client"
    return found


def make_key(path: Path) -> str:
    """A new key; its public half."""
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return Path(f"{path}.pub").read_text()


class Sshd:
    """It listens on `port` of 127.0.0.1; `host_key` is its public key, and `key` the private one that it lets in."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        self.key = place / "id_ed25519"
        self.public_key = make_key(self.key)
        self.host_key = make_key(place / "host_key")
        self.process = self._start()

    def let_in(self, command: str, options: str = "restrict,") -> None:
        line = f'{options}command="{command}" {self.public_key}'
        (self.place / "authorized_keys").write_text(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
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
