"""Servers that say who they are and who came, and clients of them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from namespaces import Host

PATIENCE = 10.0
SILENCE = 0.3
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""What a header of PROXY protocol version 2 begins with (haproxy.org, proxy-protocol.txt)."""


class Server:
    """A service on a host: it greets with its name, its port and its client's address, and echoes."""

    def __init__(self, host: Host, *ports: int, proxied: bool = False) -> None:
        self.host = host
        self._greeting = _told_by_proxy if proxied else _seen
        self._sockets: list[socket.socket] = []
        for port in ports:
            with host.inside():
                tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind(("", port))
            self._sockets += [tcp, udp]
            threading.Thread(target=self._accept, args=(tcp,), daemon=True).start()
            threading.Thread(target=self._answer, args=(udp, port), daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"{self.host.name} {self._greeting(connection)}\n".encode())
            while data := connection.recv(4096):
                connection.sendall(data)

    def _answer(self, udp: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, client = udp.recvfrom(4096)
                if not data:
                    return
                udp.sendto(f"{self.host.name} {port} {client[0]}".encode(), client)


class Client:
    """Whoever asks from a host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @contextmanager
    def connected(self, address: str, port: int) -> Iterator[Connection]:
        with self.host.inside():
            found = socket.create_connection((address, port), PATIENCE)
        with found:
            yield Connection(found)

    def asks(self, address: str, port: int) -> str:
        """What is said to whom connects there."""
        with self.connected(address, port) as connection:
            return connection.greeting

    def is_dropped(self, address: str, port: int) -> bool:
        """Whether nobody answers, not even with a refusal."""
        with self.host.inside(), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as tried:
            tried.settimeout(SILENCE)
            try:
                tried.connect((address, port))
            except TimeoutError:
                return True
        return False

    @contextmanager
    def udp(self, address: str, port: int) -> Iterator[Callable[[], str]]:
        """What is answered to each packet of one socket; nothing when there is no answer."""
        with self.host.inside():
            connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with connection:
            connection.connect((address, port))
            connection.settimeout(SILENCE)

            def asks() -> str:
                connection.send(b"hello")
                try:
                    return connection.recv(4096).decode()
                except TimeoutError:
                    return ""

            yield asks


class Connection:
    """A connection to a server that has greeted."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb", buffering=0)
        self.greeting = self._stream.readline().decode().rstrip()

    def echoes(self, said: bytes = b"hello\n") -> bool:
        """Whether it is alive: the other end answers. It is not when it was closed or reset."""
        try:
            self._stream.write(said)
            return self._stream.readline() == said
        except ConnectionError:
            return False


def _seen(connection: socket.socket) -> str:
    return f"{connection.getsockname()[1]} {connection.getpeername()[0].removeprefix('::ffff:')}"


def _told_by_proxy(connection: socket.socket) -> str:
    """Port that the client meant, its address, and who said so."""
    head = connection.recv(16, socket.MSG_WAITALL)
    assert head[:12] == SIGNATURE
    assert head[12:14] == b"\x21\x11", "version 2, PROXY, TCP over IPv4"
    rest = connection.recv(struct.unpack(">H", head[14:])[0], socket.MSG_WAITALL)
    port = struct.unpack(">H", rest[10:12])[0]
    return f"{_seen(connection)} for {socket.inet_ntoa(rest[:4])} to {socket.inet_ntoa(rest[4:8])} {port}"
