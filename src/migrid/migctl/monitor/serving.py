"""HTTPS for the pages of a monitor, with the certificate of MIGCTL's page."""

from __future__ import annotations

import ssl
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Any

from cheroot.makefile import StreamReader, StreamWriter
from cheroot.ssl import Adapter
from cheroot.wsgi import Server
from flask import Flask

from ...grid.moves.monitored import MonitorSecrets

THREADS = 16

_SECONDS = 10


class Tls(Adapter):
    """Shakes hands in the thread that serves the connection: who is slow to do so keeps nobody else waiting."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(None, None)
        self.context = context

    def bind(self, sock: socket) -> socket:
        return sock

    def wrap(self, sock: socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        secured = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return secured, self.get_environ()

    def get_environ(self) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: socket, mode: str = "r", bufsize: int = -1) -> Any:
        return (StreamReader if "r" in mode else StreamWriter)(sock, mode, bufsize)


def server_of(app: Flask, secrets: MonitorSecrets, port: int) -> Server:
    """A server of the pages, to be started. Raises OSError when the certificate and its key are not what they should
    be."""
    server = Server(("0.0.0.0", port), app, numthreads=THREADS, timeout=_SECONDS)  # noqa: S104 -- of its container
    server.ssl_adapter = Tls(_context(secrets))
    return server


def serve(app: Flask, secrets: MonitorSecrets, port: int) -> None:
    """Serve the pages until the process ends."""
    server = server_of(app, secrets, port)
    try:
        server.start()
    finally:
        server.stop()


def _context(secrets: MonitorSecrets) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with TemporaryDirectory() as directory:
        pair = Path(directory, "pair.pem")
        pair.touch(mode=0o600)
        pair.write_text(f"{secrets.private_key}\n{secrets.certificate}", encoding="utf-8")
        context.load_cert_chain(pair)
    return context
