"""HAProxy for the outputs that tell the application who the client is, by version 2 of the PROXY protocol.

The kernel leads the connections of such an output to its listener; HAProxy asks the kernel for the port that the
client meant. Each output has a process of its own, so that a change of one leaves the connections of the others alone.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import time
from collections.abc import Mapping

from .addresses import Address, Addresses
from .errors import SwitchError
from .properties import ClientAddress, Output, Properties
from .rules import LISTENERS

_PROGRAM = "haproxy"
_NOBODY = 65534
_BACKLOG = 4096
_DESCRIPTORS = 16384
"""Each connection takes two, and two more while it moves data in the kernel. Memory is taken for all of them."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_END_SECONDS = 5.0

_log = logging.getLogger("ps8")


def configuration(output: Output, address: Address, listener: int) -> str:
    """What HAProxy is told. `listener` is the file descriptor on which it finds its socket."""
    host = address.ipv4 or f"[{address.ipv6}]"
    port = f":{output.out_port}" if output.out_port else ""
    return f"""\
global
    fd-hard-limit {_DESCRIPTORS}
defaults
    mode tcp
    timeout connect 10s
    timeout client 1d
    timeout server 1d
    option clitcpka
    option srvtcpka
    option splice-auto
listen {output.name}
    bind fd@{listener}
    server {output.name} {host}{port} send-proxy-v2
"""


def wanted(properties: Properties, addresses: Addresses) -> dict[str, tuple[Output, Address]]:
    """The outputs that need a proxy, with what their addresses are now."""
    proxied = [output for output in properties.outputs if output.client_address is ClientAddress.PROXY_PROTOCOL]
    return {output.name: (output, addresses.get(output.address, Address())) for output in proxied}


class Proxies:
    """The HAProxy of each output that needs one."""

    def __init__(self) -> None:
        self._running: dict[str, _Proxy] = {}

    def listen(self, outputs: Mapping[str, tuple[Output, Address]]) -> None:
        """Let each output have a HAProxy that leads to its address. Raises SwitchError.

        One whose address is not known keeps the one that it has: what is connected may go on.
        """
        for name, (output, address) in outputs.items():
            if address:
                proxy = self._running.get(name) or _Proxy(LISTENERS[name])
                self._running[name] = proxy
                proxy.lead(output, address)

    def end_others(self, outputs: Mapping[str, tuple[Output, Address]]) -> None:
        """End those that no output needs any more, and their connections."""
        for name in self._running.keys() - outputs.keys():
            self._running.pop(name).end()

    def end(self) -> None:
        self.end_others({})


class _Proxy:
    """A listening socket that stays, and the HAProxy that serves it at present."""

    def __init__(self, port: int) -> None:
        try:
            self._socket = socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)  # noqa: S104
        except OSError as error:
            raise SwitchError(f"The proxy cannot listen on port {port}: {error.strerror}.") from None
        self._process: subprocess.Popen[bytes] | None = None
        self._configuration = ""
        self._since = 0.0
        self._pause = _FIRST_PAUSE

    def lead(self, output: Output, address: Address) -> None:
        told = configuration(output, address, self._socket.fileno())
        if told == self._configuration and not self._has_to_start_again(output.name):
            return
        self._stop()
        self._process = self._started(told)
        self._configuration = told
        self._since = time.monotonic()

    def end(self) -> None:
        self._stop()
        self._socket.close()

    def _has_to_start_again(self, name: str) -> bool:
        """Whether HAProxy ended by itself. One that ends soon after each start is started less and less often."""
        if self._process is None or self._process.poll() is None or time.monotonic() < self._since + self._pause:
            return False
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        _log.error("HAProxy of %s ended with status %s and is started again", name, self._process.returncode)
        return True

    def _stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _started(self, told: str) -> subprocess.Popen[bytes]:
        """HAProxy without rights. It reads its configuration from memory, so that the file system may be read-only."""
        memory = os.memfd_create("haproxy.cfg", 0)
        try:
            os.write(memory, told.encode())
            return subprocess.Popen(
                [_PROGRAM, "-db", "-f", f"/proc/self/fd/{memory}"],
                pass_fds=(memory, self._socket.fileno()),
                stdin=subprocess.DEVNULL,
                user=_NOBODY,
                group=_NOBODY,
                extra_groups=(),
            )
        except FileNotFoundError:
            raise SwitchError("There is no program haproxy; an output with proxy_protocol needs it.") from None
        except PermissionError:
            raise SwitchError(
                "HAProxy must run without rights; give the service `cap_add: [NET_ADMIN, KILL, SETGID, SETUID]`."
            ) from None
        finally:
            os.close(memory)
