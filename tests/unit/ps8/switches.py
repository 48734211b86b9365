"""A port switch that runs on a host as it does in a container: with the rights that it needs and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from loopback import until
from namespaces import Host
from servers import PATIENCE

RIGHTS = ("net_admin", "kill", "setgid", "setuid")
IN_CONTAINER = """\
mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@"
"""


class PortSwitch:
    """The program, with a file of properties, and a file that resolves names."""

    def __init__(
        self,
        host: Host,
        directory: Path,
        environment: Mapping[str, str],
        names: Mapping[str, str],
        rights: tuple[str, ...] = RIGHTS,
    ) -> None:
        self.host = host
        self.address = host.address
        self._directory = directory
        self._log = directory / "log"
        directory.mkdir()
        (directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        self.resolve(names)
        host.run("sysctl", "--quiet", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command(rights), env={**os.environ, **environment}, stdout=log, stderr=log
            )

    def ready(self) -> PortSwitch:
        until(lambda: self.says("the port switch is ready") or self._process.poll() is not None)
        assert self.says("the port switch is ready"), self.log
        return self

    def change(self, *lines: str) -> None:
        """Write the file of properties."""
        (self._directory / "properties").write_text("".join(f"{line}\n" for line in lines))

    def change_at_once(self, *lines: str) -> None:
        self.change(*lines)
        self._process.send_signal(signal.SIGHUP)

    def resolve(self, names: Mapping[str, str]) -> None:
        """Names and their addresses from now on. The file stays the same one, which is mounted."""
        (self._directory / "hosts").write_text("".join(f"{address} {name}\n" for name, address in names.items()))

    @property
    def log(self) -> str:
        return self._log.read_text()

    def says(self, text: str) -> int:
        """How often it is in the log."""
        return self.log.count(text)

    def ended(self) -> int:
        """The exit status, when it ends by itself."""
        return self._process.wait(PATIENCE)

    def proxies(self) -> list[int]:
        """The processes of HAProxy."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def stop(self) -> int:
        self._process.terminate()
        return self.ended()

    def _command(self, rights: tuple[str, ...]) -> list[str]:
        bounds = ",".join(("-all", *(f"+{right}" for right in rights)))
        confined = ["setpriv", f"--bounding-set={bounds}", "--inh-caps=-all", "--no-new-privs"]
        program = [sys.executable, "-m", "migrid.ps8", "--properties", str(self._directory / "properties")]
        container = ["unshare", "--mount", "sh", "-c", IN_CONTAINER, "-", str(self._directory)]
        return self.host.command(*container, *confined, *program)


Start = Callable[..., PortSwitch]
"""Starts one with these properties."""
