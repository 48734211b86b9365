"""The shop: a WSGI service that acknowledges numbered writes, each safe in a database and in a file.

POST /writes   {"id": "…"}: a write, answered when it is on disk in both places, with its number and the one before it
GET /writes    all writes, as the database and as the file have them
GET /health    whether the shop can take writes

Every answer names the instance: the grid, the container, and the start of the process. Numbers have no gaps, so that
a write that got lost and two shops that went different ways are both seen in them.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg

FILES = Path("/srv/files")
LOG = FILES / "writes.log"
INSTANCE = {"grid": os.environ["SHOP_GRID"], "container": socket.gethostname(), "start": secrets.token_hex(4)}
TABLE = "CREATE TABLE IF NOT EXISTS writes (number bigint PRIMARY KEY, id text UNIQUE NOT NULL)"
NEXT = "INSERT INTO writes SELECT coalesce(max(number), 0) + 1, %s FROM writes RETURNING number"

Environ = dict[str, Any]
Answer = tuple[HTTPStatus, dict[str, Any]]


class Database(threading.local):
    """One connection for each thread, made anew when it broke."""

    connection: psycopg.Connection[Any] | None = None

    def __call__(self) -> psycopg.Connection[Any]:
        if self.connection is None or self.connection.closed:
            password = Path("/run/secrets/db_password").read_text().strip()
            self.connection = psycopg.connect(os.environ["SHOP_DATABASE"], password=password)
            with self.connection.transaction():
                self.connection.execute("SELECT pg_advisory_xact_lock(1)")
                self.connection.execute(TABLE)
        return self.connection


database = Database()


def append(line: str) -> None:
    """Add a line to the file; returns when it is on disk."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(environ: Environ) -> Answer:
    content = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    connection = database()
    with connection.transaction():
        connection.execute("LOCK TABLE writes IN EXCLUSIVE MODE")
        number = connection.execute(NEXT, (content["id"],)).fetchone()[0]  # type: ignore[index]
        append(f"{number} {content['id']}\n")
    return HTTPStatus.CREATED, {"number": number, "previous": number - 1, "id": content["id"]}


def writes(_: Environ) -> Answer:
    connection = database()
    with connection.transaction():
        rows = connection.execute("SELECT number, id FROM writes ORDER BY number").fetchall()
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    split = [line.split() for line in lines]
    return HTTPStatus.OK, {"database": rows, "file": [[int(number), key] for number, key in split]}


def health(_: Environ) -> Answer:
    if os.environ["SHOP_HEALTH"] != "well":
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": f"SHOP_HEALTH is {os.environ['SHOP_HEALTH']}"}
    connection = database()
    with connection.transaction():
        connection.execute("SELECT 1")
    return HTTPStatus.OK, {"title": os.environ["SHOP_TITLE"]}


WAYS: dict[tuple[str, str], Callable[[Environ], Answer]] = {
    ("POST", "/writes"): write,
    ("GET", "/writes"): writes,
    ("GET", "/health"): health,
}


def answer(environ: Environ) -> Answer:
    way = WAYS.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if way is None:
        return HTTPStatus.NOT_FOUND, {"error": "The shop knows POST /writes, GET /writes and GET /health."}
    try:
        return way(environ)
    except (psycopg.Error, OSError) as error:
        return HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}


def application(environ: Environ, start_response: Callable[[str, list[tuple[str, str]]], Any]) -> Iterable[bytes]:
    status, content = answer(environ)
    body = json.dumps({**content, "instance": INSTANCE}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
