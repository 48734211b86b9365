#!/usr/bin/env python3
"""Measure how an application moves itself, as its owner meets it at the page of MIGCTL.

    bench/self_move.py https://192.0.2.11:8443 grid-b --username ada --password-file FILE [--host mol-grid-a]

A copy of the application is started on its way to the target grid: a snapshot that waits before it stops anything, and
is cancelled in the end. Measured are

    to the first byte   from the confirmation to the first byte that was copied, be it of an image or of a volume
    a page              loads of the move's page one after another while it goes on, and before it began
    memory              with --host, a container on this machine's engine in which the grid is: what all processes of
                        MIGCTL have resident, what they share counted once (Pss of proc_pid_smaps_rollup(5))

For a move with the images present run it twice and take the second. The certificate is not checked.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import secrets
import ssl
import statistics
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

GOAL_FIRST_BYTE, GOAL_PAGE, GOAL_MEMORY = 5.0, 0.1, 100
LOADS = 200
LATER = "2099-01-01T00:00:00+00:00"
HIDDEN = re.compile(r'type="hidden" name="([^"]+)" value="([^"]*)"')
PSS = """
container=$(docker ps --quiet --filter label=com.docker.compose.service=migctl)
for process in $(docker top "$container" -o pid | tail -n +2); do
  grep ^Pss: /proc/$process/smaps_rollup
done
"""


class Visitor:
    """A browser without scripts."""

    def __init__(self, address: str) -> None:
        self._where = urllib.parse.urlsplit(address)
        self._trust = ssl._create_unverified_context()  # noqa: S323 -- it is the page's own
        self._cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """An answer whose content is not read yet. Raises OSError, http.client.HTTPException."""
        host, port = self._where.hostname or "", self._where.port
        connection = http.client.HTTPSConnection(host, port, timeout=60, context=self._trust)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urllib.parse.urlencode(form or {}), headers)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer

    def read(self, path: str) -> str:
        answer = self.ask("GET", path)
        text = answer.read().decode()
        if answer.status != http.client.OK:
            sys.exit(f"{path} answers {answer.status}")
        return text

    def send(self, path: str, shown: str, **form: str) -> str:
        """Send the form of a page; where it leads."""
        answer = self.ask("POST", path, {**dict(HIDDEN.findall(shown)), **form})
        text = answer.read().decode()
        if answer.status != http.client.SEE_OTHER:
            sys.exit(f"{path} answers {answer.status}:\n{text}")
        return str(answer.headers["Location"])

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """What is told live, for a minute."""
        for line in self.ask("GET", f"{path}/events"):
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def first_byte(visitor: Visitor, move: str) -> None:
    """Wait until something was copied: a short round is over before it is told how far it is, and is in the log."""
    for event in visitor.events(move):
        copied = re.search(r"<dt>Copied</dt>\s*<dd>(?!0 B)", event.get("timeline", ""))
        if copied or "precopy: round 1" in event.get("log", ""):
            return
    sys.exit("Nothing was copied within a minute.")


def loads(visitor: Visitor, path: str) -> list[float]:
    """Seconds that loads of a page took, in ascending order."""
    return sorted(timed(lambda: visitor.read(path)) for _ in range(LOADS))


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def memory(host: str) -> float:
    """MiB of all processes of MIGCTL in a host that is a container here."""
    command = ["docker", "exec", host, "bash", "-c", PSS]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(line.split()[1]) for line in told.splitlines()) / 1024


def show(what: str, value: float, unit: str, goal: float) -> None:
    print(f"{what:<34}{value:10.3f} {unit:<4} goal < {goal:g}{'' if value < goal else '   MISSED'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", metavar="URL", help="of the application's page")
    parser.add_argument("target", metavar="GRID", help="where the copy would go")
    parser.add_argument("--username", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--host", default="", help="the container in which the grid of the application is")
    options = parser.parse_args()
    visitor = Visitor(options.page)
    password = options.password_file.read_text(encoding="utf-8").strip()
    visitor.send("/login", visitor.read("/login"), username=options.username, password=password)
    before = loads(visitor, "/moves")
    name = f"bench-{secrets.token_hex(3)}"
    wish = {"grid": options.target, "app": name, "action": "snapshot", "at": LATER}
    plan = visitor.send("/", visitor.read("/"), **wish)
    shown = visitor.read(plan)
    began = time.perf_counter()
    move = visitor.send(plan, shown, sure="yes")
    first_byte(visitor, move)
    first = time.perf_counter() - began
    during = loads(visitor, move)
    visitor.send(move, visitor.read(move))
    show("confirmation to first byte", first, "s", GOAL_FIRST_BYTE)
    show("the move's page, median", statistics.median(during), "s", GOAL_PAGE)
    show("the move's page, 99th percentile", during[LOADS * 99 // 100 - 1], "s", GOAL_PAGE)
    print(f"{'a page before it, median':<34}{statistics.median(before):10.3f} s")
    if options.host:
        show("memory of MIGCTL", memory(options.host), "MiB", GOAL_MEMORY)


if __name__ == "__main__":
    main()
