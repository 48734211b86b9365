"""Channels to another grid: one SSH connection each, carried by OpenSSH's client, as two pipes of this process.

At the other end of a connection is the gate of the grid (`gate.py`), whatever is asked for. It says who it is before
anything else, so that a channel that was opened is one that works.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import GridError, RefusedError, UnreachableError
from ..state import Peer
from ..volumes.client import Channel
from .wire import error_class

GREETING = "migrid-gate 1"
PIPE_BYTES = 1 << 20
CONNECT_SECONDS = 10
ALIVE_SECONDS = 5
ALIVE_COUNT = 3
GREETING_SECONDS = 30.0
CLOSE_SECONDS = 5.0

_CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr"
_SSH_FAILED = 255
_GATE_REFUSED = 2


@dataclass(frozen=True)
class Advice:
    """What to do when the other end does not know `who` comes in, or has become another."""

    who: str = "this grid"
    new_host: str = "run playbooks/grids.yml for both grids: it exchanges the keys"
    new_key: str = "Run playbooks/grids.yml for both grids: it exchanges the keys"
    no_gate: str = "Run playbooks/grids.yml for it"
    new_release: str = "bring both grids to the same release, with playbooks/grids.yml"


_REMEDIES = (
    (
        ("Host key verification failed", "IDENTIFICATION HAS CHANGED", "host key is known for"),
        "its host key is not the one in {known_hosts}. If the host was installed anew, {advice.new_host}. If it was"
        " not, somebody else may be answering at this address.",
    ),
    (("Permission denied",), "it does not accept {advice.who}'s key, {key}.pub. {advice.new_key}."),
    (("Too many authentication failures", "No supported authentication"), "its sshd accepts no key. Look at its log."),
    (("no matching ", "Unable to negotiate"), "its sshd has no algorithm in common with this one's. {text}"),
)


@dataclass(frozen=True)
class Way:
    """How the gate of another grid is reached: its name and address, and the directory with the key to come in with and
    the host keys of all grids."""

    name: str
    peer: Peer
    ssh: Path
    advice: Advice = Advice()

    @property
    def place(self) -> str:
        return f"Grid {self.name} ({self.peer.address}, port {self.peer.ssh_port})"

    def command(self, word: str) -> list[str]:
        """The command line of OpenSSH's client. No configuration, agent or key of whoever runs it plays a part."""
        options = {
            "BatchMode": "yes",
            "Ciphers": _CIPHERS,
            "CheckHostIP": "no",
            "Compression": "no",
            "ConnectTimeout": CONNECT_SECONDS,
            "ControlPath": "none",
            "GlobalKnownHostsFile": "none",
            "HostKeyAlias": self.name,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": self.ssh / "id_ed25519",
            "LogLevel": "ERROR",
            "PreferredAuthentications": "publickey",
            "RequestTTY": "no",
            "ServerAliveCountMax": ALIVE_COUNT,
            "ServerAliveInterval": ALIVE_SECONDS,
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
            "UserKnownHostsFile": self.ssh / "known_hosts",
        }
        settings = [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
        whither = ["-p", str(self.peer.ssh_port), "-l", self.peer.account, "--", self.peer.address]
        return ["ssh", "-F", "none", *settings, *whither, word]


def pair() -> tuple[Channel, Channel]:
    """Two channels of this process; what is written to one can be read from the other."""
    here_reader, there_writer = os.pipe()
    there_reader, here_writer = os.pipe()
    widen(there_writer, here_writer)
    return _of_pipes(here_reader, here_writer), _of_pipes(there_reader, there_writer)


def open_channel(way: Way, word: str) -> Channel:
    """A channel to what the gate of a grid serves for `word`.

    Raises:
        RefusedError: the host is another one, or it does not let this grid in, or the gate does not accept the word.
        UnreachableError: the host does not answer, or the connection broke.
    """
    client = _Client(way.command(word))
    greeting = _first_line(client.reader, GREETING_SECONDS)
    if greeting != GREETING:
        client.close()
        raise _failure(way, client, greeting)
    return Channel(client.reader, client.writer, client.close)


def widen(*pipes: int) -> None:
    """Give pipes the size that needs few system calls. The kernel may refuse it to a user who has many pipes."""
    for descriptor in pipes:
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class _Client:
    """A running client, the pipes to it, and what it said when it ended."""

    def __init__(self, command: list[str]) -> None:
        its_input, self.writer = os.pipe()
        self.reader, its_output = os.pipe()
        widen(self.writer, self.reader)
        self.status = 0
        self.text = ""
        self.close = _once(self._end)
        try:
            self._process = _start(command, its_input, its_output)
        except FileNotFoundError as error:
            _close((self.writer, self.reader))
            raise GridError("There is no program ssh here: install the package openssh-client.") from error
        finally:
            _close((its_input, its_output))

    def _end(self) -> None:
        """Let the client see the end of its input, and end it if it does not end itself."""
        _close((self.writer, self.reader))
        try:
            _, said = self._process.communicate(timeout=CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, said = self._process.communicate()
        self.status = self._process.returncode
        self.text = said.decode(errors="replace").strip()


def _start(command: list[str], reader: int, writer: int) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ.get("PATH", os.defpath)}
    return subprocess.Popen(
        command, stdin=reader, stdout=writer, stderr=subprocess.PIPE, start_new_session=True, env=environment
    )


def write_all(descriptor: int, content: bytes) -> None:
    """Write the whole content. Raises OSError when the connection broke."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _first_line(reader: int, patience: float) -> str:
    """The first line, or what came instead of one. No byte after it is read."""
    line = bytearray()
    deadline = time.monotonic() + patience
    waiting = select.poll()
    waiting.register(reader, select.POLLIN)
    while len(line) < len(GREETING) + 1:
        byte = os.read(reader, 1) if waiting.poll(1000 * max(0.0, deadline - time.monotonic())) else b""
        if byte in (b"", b"\n"):
            break
        line += byte
    return line.decode(errors="replace")


def _failure(way: Way, client: _Client, greeting: str) -> GridError:
    """Why the connection ended before the gate said who it is."""
    last = client.text.splitlines()[-1].strip() if client.text else ""
    if greeting:
        return RefusedError(f"{way.place} answers {greeting!r} in place of {GREETING!r}: {way.advice.new_release}.")
    if client.status == _GATE_REFUSED:
        return _refusal(way, last)
    if client.status == _SSH_FAILED:
        return _ssh_failure(way, client.text, last)
    if client.status <= 0:
        return UnreachableError(f"{way.place} was reached, but its gate does not answer.")
    said = last or "it says nothing"
    return RefusedError(f"{way.place} has no gate for {way.advice.who}: {said}. {way.advice.no_gate}.")


def _refusal(way: Way, last: str) -> GridError:
    """What the gate says: its name, the class of the error, and why."""
    _, kind, text = [*last.split(": ", 2), "", ""][:3]
    return error_class(kind)(f"{way.place} refuses: {text or last}")


def _ssh_failure(way: Way, text: str, last: str) -> GridError:
    for signs, remedy in _REMEDIES:
        if any(sign in text for sign in signs):
            facts = {"known_hosts": way.ssh / "known_hosts", "key": way.ssh / "id_ed25519", "advice": way.advice}
            return RefusedError(f"{way.place}: {remedy.format(**facts, text=last)}")
    return UnreachableError(f"{way.place} does not answer: {last or 'the connection broke'}")


def _of_pipes(reader: int, writer: int) -> Channel:
    return Channel(reader, writer, _once(lambda: _close((writer, reader))))


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _once(action: Callable[[], None]) -> Callable[[], None]:
    pending = [action]

    def close() -> None:
        if pending:
            pending.pop()()

    return close
