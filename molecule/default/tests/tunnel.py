"""An HTTP proxy through which a browser reaches every name at one address."""

from __future__ import annotations

import re
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

_CHUNK = 65536


@contextmanager
def tunnel_to(address: str) -> Iterator[str]:
    """Where the proxy listens."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            port = re.match(rb"CONNECT \S+:(\d+) ", self.rfile.readline())
            while self.rfile.readline().strip():
                pass
            if port:
                with socket.create_connection((address, int(port[1]))) as target:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = Thread(target=_copy, args=(target, self.connection))
                    back.start()
                    _copy(self.connection, target)
                    back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
