"""A move whose monitor answers over TLS, and browsers that reach it at its own address."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from loopback import until
from migctl_rig import Inside, inside
from owned_grids import OwnedGrids
from page_browser import LATER, LOGIN, Browser, desk_of, hidden, owner

from migrid.grid.model.monitors import ModelMonitors
from migrid.grid.moves import monitored
from migrid.grid.moves.monitored import MonitorSecrets, Place
from migrid.migctl.handing_over import secrets_of
from migrid.migctl.page.application import build
from migrid.migctl.properties import Properties
from migrid.migctl.tls import Pair

PAGE_PORT = 18080
_START = """
import pathlib, sys
from migrid.grid.model.monitors import ModelMonitors
from migrid.grid.state import State
print(ModelMonitors(State(pathlib.Path(sys.argv[1]))).start(sys.argv[2], "store"))
"""


@dataclass(frozen=True)
class Answer:
    """What a monitor answers."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")


@dataclass
class Visitor:
    """One browser at a monitor."""

    host: str
    port: int
    certificate: Path
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Answer:
        connection = self.connect()
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        content = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, path, urlencode(body) if body is not None else None, cookies | content)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(answer.status, text, dict(answer.headers))

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that trusts the page's certificate and no other."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        return http.client.HTTPSConnection(self.host, self.port, timeout=60, context=context)

    def first_event(self, path: str) -> dict[str, Any]:
        """The first of the server-sent events, of which more would come."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with closing(self.connect()) as connection:
            connection.request("GET", f"{path}/events", headers={"Cookie": cookies})
            with connection.getresponse() as answer:
                assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/event-stream")
                found: dict[str, str] = {}
                while "data" not in found:
                    name, _, value = answer.readline().decode().rstrip("\n").partition(": ")
                    found[name] = value
                return {**found, "data": json.loads(found["data"])}


@dataclass
class Monitored:
    """A move that waits before it stops the application, and its monitor. `ada` is at MIGCTL's page."""

    grids: OwnedGrids
    there: Inside
    ada: Browser
    path: str
    certificate: Path

    @property
    def move(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def directory(self) -> Path:
        return self.grids.b.state.move_directory(self.move)

    @property
    def place(self) -> str:
        return str(self.there.services["grid-b"].news(self.move, 0.0, 0.0).monitor)

    def visitor(self, cookies: Mapping[str, str] | None = None) -> Visitor:
        host, _, port = self.place.rpartition(":")
        return Visitor(host, int(port), self.certificate, dict(cookies or {}))

    def at_monitor(self) -> Visitor:
        """The browser of ada, led to the monitor as her page's port is."""
        return self.visitor(self.ada.cookies)

    def way(self) -> str:
        """The way into the monitor that ada's page shows: what comes after its address."""
        page = self.ada.get(self.path).text
        link = page.partition('<p id="elsewhere"><a href="https://')[2].partition('"')[0]
        place, _, rest = link.partition("/")
        assert place == self.place
        return f"/{rest}"

    def start_again(self) -> None:
        """The monitor dies, and another MigHelper starts it."""
        state = self.grids.b.state
        ModelMonitors(state).remove("store")
        command = [sys.executable, "-c", _START, str(state.root), self.move]
        port = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        monitored.tell_place(self.directory, Place("127.0.0.1", int(port)))
        until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.place) and self.visitor().get("/").status in (303, 403)
        except OSError:
            return False

    def cancel(self) -> None:
        """From MIGCTL's page."""
        self.ada.post(self.path)
        self.there.wait("grid-b", self.move)

    def is_removed(self) -> bool:
        """Whether nothing is left with which a monitor could answer, and none does."""
        names = {path.name for path in self.directory.iterdir()}
        return not names & {"monitor", "monitor.json", "monitor_at.json"} and not self._answers_still()

    def _answers_still(self) -> bool:
        return (self.grids.b.state.root / "monitors" / "store.json").exists()


def publish_page(grids: OwnedGrids) -> None:
    """Let the application say that its page is at a published port."""
    file = grids.place / "sources" / "shop" / "compose.yaml"
    found = json.loads(file.read_text())
    found["services"]["web"]["ports"] = [f"{PAGE_PORT}:80"]
    file.write_text(json.dumps(found | {"x-mig": {"page": {"service": "web", "port": 80}}}))
    done = grids.a.mig_grid("provision", "shop", str(file.parent), "--start")
    assert done.returncode == 0, done.stderr


def make_pair(directory: Path) -> tuple[Path, Path]:
    """A certificate of its own, and its key."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    command += ["-subj", "/CN=shop.example.org", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def monitor_secrets(there: Inside, pair: tuple[Path, Path], properties: Properties = LOGIN) -> MonitorSecrets:
    """What MIGCTL inside the application would hand over."""
    found = secrets_of(there.place, properties, Pair(*pair))
    assert found
    return found


def monitored_move(
    grids: OwnedGrids, pair: tuple[Path, Path], properties: Properties = LOGIN, **changes: str
) -> Monitored:
    """A move that was started on the page."""
    there = inside(grids, grids.a, secrets=monitor_secrets(inside(grids, grids.a), pair, properties))
    desk = desk_of(there, properties)
    ada = owner(desk) if properties.username else Browser(build(desk))
    made = Monitored(grids, there, ada, ada.start(**LATER, **changes), pair[0])
    until(made.answers)
    return made


def form_of(page: Answer) -> dict[str, str]:
    return hidden(page.text)
