"""Two grids with model engines, an application under load, and a clock in which hours pass at once."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from migrid.grid import names
from migrid.grid.application import Definition, Image, Port
from migrid.grid.clock import Clock
from migrid.grid.errors import RefusedError, UnreachableError
from migrid.grid.local.source import LocalSource
from migrid.grid.local.target import LocalTarget
from migrid.grid.model.engine import ModelEngine
from migrid.grid.model.forwarder import ModelForwarder
from migrid.grid.moves import request as requests
from migrid.grid.moves.journal import Journal, Position
from migrid.grid.moves.journal import position as journal_position
from migrid.grid.moves.move import Move
from migrid.grid.moves.report import Report
from migrid.grid.moves.request import Request
from migrid.grid.peers import wire
from migrid.grid.sides import Action
from migrid.grid.state import Configuration, Peer, State, write_json

_MEMORY = Path("/dev/shm")  # noqa: S108 - removed again
APP = "shop"
GUARD_SECONDS = 5.0
PORT = 8080
IMAGES = ("shop-web:1", "shop-db:1")


CHANGES = (
    *("start", "stop", "kill", "set_restart_policies", "remove", "make_tree", "remove_tree", "load_images"),
    *("tag_image", "remove_images", "mover", "remove_mover"),
)
"""The methods of an engine that change something."""

MEMORIES = ("write_record", "clear_record", "write_right", "clear_right", "write_lock", "clear_lock", "leave_marker")
"""The methods of a grid's state that do."""


def unnoticed(point: str) -> None:
    """Nobody looks."""


def unspied(event: str, data: Mapping[str, Any]) -> None:
    """Nobody reads the journal."""


class Killed(BaseException):
    """The driver, or whatever serves a verb, died at this point."""


class FakeClock:
    """Time that passes only when somebody spends it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.watchers: list[Callable[[], None]] = []
        self._beats: list[tuple[float, Callable[[], None], list[float]]] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Spend time as the driver, whose heart beats meanwhile."""
        end = self.now + seconds
        while due := [beat for beat in self._beats if beat[2][0] <= end]:
            interval, call, next_time = min(due, key=lambda beat: beat[2][0])
            self.spend(max(0.0, next_time[0] - self.now))
            next_time[0] += interval
            call()
        self.spend(max(0.0, end - self.now))

    def spend(self, seconds: float) -> None:
        """Spend time as somebody else."""
        self.now += seconds
        for watcher in self.watchers:
            watcher()

    @contextmanager
    def every(self, seconds: float, call: Callable[[], None]) -> Iterator[None]:
        beat = (seconds, call, [self.now + seconds])
        self._beats.append(beat)
        try:
            yield
        finally:
            self._beats.remove(beat)


class SkewedClock:
    """The clock of a grid, which may be wrong."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.ahead = 0.0

    def time(self) -> float:
        return self._clock.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)

    def every(self, seconds: float, call: Callable[[], None]) -> Any:
        return self._clock.every(seconds, call)


class ModelHold:
    """Ports that let nobody in, as a set of applications."""

    def __init__(self) -> None:
        self.all: set[str] = set()

    def check(self, app: str, ports: Sequence[Port]) -> None: ...

    def put(self, app: str, ports: Sequence[Port]) -> None:  # noqa: ARG002
        self.all.add(app)

    def end(self, app: str) -> None:
        self.all.discard(app)


class Load:
    """Writes numbered lines to the application where it runs, and remembers those that were acknowledged; sees every
    start and stop, and what the data was then."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.running: set[tuple[str, str]] = set()
        self.violations: list[str] = []
        self.stopped_with: dict[str, str] = {}
        self.engines: dict[str, ModelEngine] = {}
        self.forwarders: dict[str, ModelForwarder] = {}
        self.down_since: float | None = None
        self.longest_down = 0.0
        self.now: Callable[[], float] = lambda: 0.0

    def started(self, engine: str, project: str) -> None:
        others = self.running - {(engine, project)}
        if others:
            self.violations.append(f"{project} was started on {engine} while {others} ran")
        if self.forwarders[engine].forwards(project):
            self.violations.append(f"{project} was started on {engine} while its ports were forwarded")
        self.running.add((engine, project))
        if self.down_since is not None:
            self.longest_down = max(self.longest_down, self.now() - self.down_since)
            self.down_since = None
        expected = self.stopped_with.get("content")
        found = content_of(self.engines[engine].place(f"{project}_data"))
        if expected is not None and found != expected:
            self.violations.append(f"{project} was started on {engine} with other data than when it was stopped")

    def stopped(self, engine: str, project: str) -> None:
        self.running.discard((engine, project))
        self.down_since = self.now()
        self.stopped_with["content"] = content_of(self.engines[engine].place(f"{project}_data"))

    def write(self, engine: ModelEngine, project: str) -> None:
        if (engine.name, project) not in self.running:
            self.violations.append(f"a write was acknowledged by {project} on {engine.name}, which does not run")
        number = len(self.acknowledged) + 1
        with (engine.place(f"{project}_data") / "writes").open("a") as stream:
            stream.write(f"{number}\n")
        self.acknowledged.append(number)


def content_of(directory: Path) -> str:
    """All that a copy must keep of a directory, as text."""
    return json.dumps([_entry(directory, path) for path in sorted(directory.rglob("*"))])


def _entry(directory: Path, path: Path) -> list[Any]:
    status = path.lstat()
    content = path.read_bytes().hex() if stat.S_ISREG(status.st_mode) else ""
    target = str(path.readlink()) if path.is_symlink() else ""
    moment = 0 if path.is_dir() else status.st_mtime_ns
    return [str(path.relative_to(directory)), status.st_mode, status.st_uid, status.st_gid, moment, content, target]


@dataclass
class Link:
    """The connection between the grids. Verbs cross as they do over SSH, as lines of JSON."""

    clock: FakeClock
    down_until: float = 0.0
    hangs_until: float = 0.0
    refused_until: float = 0.0
    lost_answers: int = 0

    def cross(self) -> None:
        if self.clock.now < self.hangs_until:
            self.clock.spend(60.0)
            raise UnreachableError("Grid grid-a does not answer: timed out")
        if self.clock.now < self.down_until:
            raise UnreachableError("Grid grid-a does not answer: connection reset")
        if self.clock.now < self.refused_until:
            raise RefusedError("Grid grid-a does not accept this grid's key.")

    def returned(self, verb: str) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
            raise UnreachableError(f"The connection broke before the answer to {verb} came.")


class Spied:
    """Something that tells when it has changed something. If it dies `alone`, before is not after the last change."""

    def __init__(
        self, subject: Any, name: str, changes: Sequence[str], reached: Callable[[str], None], alone: bool
    ) -> None:
        self._subject = subject
        self._name = name
        self._changes = changes
        self._reached = reached
        self._alone = alone

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._subject, name)
        if name not in self._changes:
            return found

        def call(*values: Any, **named: Any) -> Any:
            if self._alone:
                self._reached(f"before {self._name} {name}")
            result = found(*values, **named)
            self._reached(f"after {self._name} {name}")
            return result

        return call


class LinkedSource:
    """A source at the other end of a link."""

    def __init__(self, source: LocalSource, link: Link) -> None:
        self._source = source
        self._link = link

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def ask(*values: Any) -> Any:
            self._link.cross()
            try:
                result = carry_out(verb, values)
            except Killed:
                raise UnreachableError("The gate of grid-a died.") from None
            self._link.returned(verb)
            return result

        def carry_out(verb: str, values: Sequence[Any]) -> Any:
            if verb in wire.VERBS:
                names_of = [name for name in wire.VERBS[verb] if name != "return"]
                _, arguments = wire.read_request(wire.request(verb, dict(zip(names_of, values, strict=True))))
                return wire.read_answer(verb, wire.answer(getattr(self._source, verb)(**arguments)))
            return getattr(self._source, verb)(*values)

        return ask


class Grid:
    """One grid: a host with an engine and what it remembers."""

    def __init__(self, root: Path, name: str, clock: FakeClock, load: Load, reached: Callable[[str], None]) -> None:
        self.name = name
        self.clock = SkewedClock(clock)
        self.state = State(root / name / "state", root / name / "etc")
        self.engine = ModelEngine(root / name / name, self.clock, load)
        self.engine.spend = clock.spend
        self.forwarder = ModelForwarder(root / name / "forwards")
        self.hold = ModelHold()
        alone = name == "grid-a"
        engine: Any = Spied(self.engine, f"{name} engine", CHANGES, reached, alone)
        state: Any = Spied(self.state, f"{name} state", MEMORIES, reached, alone)
        self.source = LocalSource(engine, state, self.clock, self.forwarder)
        self.target = LocalTarget(engine, state, self.clock, self.forwarder, self.hold)
        load.engines[name], load.forwarders[name] = self.engine, self.forwarder
        self.configure({})

    def configure(self, app_config: Mapping[str, Mapping[str, str]]) -> None:
        peers = {other: Peer("127.0.0.1", 1) for other in ("grid-a", "grid-b") if other != self.name}
        configuration = Configuration(self.name, f"{self.name}.example.org", "", peers, app_config)
        write_json(self.state.etc / "grid.json", configuration)

    def inventory(self) -> dict[str, Any]:
        """All that is on the grid, but for the logs of moves."""
        info = self.engine.info()
        return {
            "volumes": info.volumes,
            "files": sorted(path.name for path in (self.engine.directory / "volumes").iterdir()),
            "images": sorted(info.images),
            "containers": info.container_names,
            "networks": sorted(self.engine._content.networks),
            "applications": [app for app in self.state.applications() if self.state.record(app)],
            "movers": sorted(self.engine.movers()),
            "held": sorted(self.hold.all),
            "leftovers": sorted(self._leftovers()),
        }

    def _leftovers(self) -> Iterator[str]:
        for move in self.state.moves():
            kept = {
                "request.json",
                "journal.jsonl",
                "progress.json",
                "report.json",
                "log",
                "cancel",
                "cut_over",
                "driver",
            }
            yield from (
                f"{move}/{path.name}" for path in self.state.move_directory(move).iterdir() if path.name not in kept
            )
        for app in self.state.applications():
            if self.state.lock(app):
                yield f"lock of {app}"


@dataclass
class World:
    """Both grids, and the application `shop` on grid-a."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    load: Load = field(default_factory=Load)

    def __post_init__(self) -> None:
        self.load.now = self.clock.time
        self.reached: Callable[[str], None] = unnoticed
        self.journalled: Callable[[str, Mapping[str, Any]], None] = unspied
        self.a = Grid(self.root, "grid-a", self.clock, self.load, lambda point: self.reached(point))
        self.b = Grid(self.root, "grid-b", self.clock, self.load, lambda point: self.reached(point))
        self.link = Link(self.clock)
        self.clock.watchers.append(self.watch)
        self.guarded = self.clock.now
        for number, name in enumerate(IMAGES):
            self.a.engine.add_image(
                Image(f"sha256:{number:064x}", name, (), (f"sha256:{number + 9:064x}",), 10, "amd64")
            )
        self.b.engine.add_image(Image(f"sha256:{7:064x}", "other:1", (), (f"sha256:{77:064x}",), 10, "amd64"))

    def provision(self, **changes: Any) -> Definition:
        """Start the application on grid-a by hand, as with `docker compose up`."""
        directory = self.root / "projects" / APP
        directory.mkdir(parents=True)
        (directory / "secret.txt").write_text("sesame\n")
        (directory / ".env").write_text(f"SHOP_PORT={PORT}\n")
        (directory / "compose.json").write_text(json.dumps(compose_file(**changes)))
        definition = Definition(APP, directory, (directory / "compose.json",))
        self.a.engine.start(definition)
        data = self.a.engine.place(f"{APP}_data")
        (data / "empty").mkdir()
        (data / "link").symlink_to("writes")
        (data / "sealed").write_bytes(os.urandom(2000))
        (data / "sealed").chmod(0o400)
        self.tick()
        return definition

    def grid(self, name: str) -> Grid:
        return {"grid-a": self.a, "grid-b": self.b}[name]

    def guard(self) -> None:
        """What the guard of each grid does every few seconds."""
        for grid in (self.a, self.b):
            if self.clock.now >= grid.engine.faults.away_until:
                grid.source.resume_lapsed()

    def wait(self, seconds: float) -> None:
        """Let time pass, with all that it brings."""
        for _ in range(round(seconds / GUARD_SECONDS)):
            self.clock.spend(GUARD_SECONDS)

    def watch(self) -> None:
        if self.clock.now - self.guarded >= GUARD_SECONDS:
            self.guarded = self.clock.now
            self.guard()
        self.tick()

    def tick(self) -> None:
        """Let a write come in, where the application may answer."""
        for grid in (self.a, self.b):
            grid.engine.look()
            for project in sorted(name for engine, name in self.load.running if engine == grid.name):
                if project not in grid.hold.all:
                    self.load.write(grid.engine, project)

    def request(self, **changes: Any) -> Request:
        asked = requests.parse({"app": APP, "source_grid": "grid-a", "target_grid": "grid-b"})
        return replace(asked, **changes)

    def move(self, request: Request, name: str | None = None) -> SpiedMove:
        """A driver of a move, as MigHelper's."""
        name = name or names.new_move()
        source, target = self.grid(request.source_grid), self.grid(request.target_grid)
        linked: Any = LinkedSource(source.source, self.link)
        return SpiedMove(self, request, linked, target.target, target.state.move_directory(name), target.clock)

    def run(self, request: Request, name: str | None = None) -> Report:
        """Carry a move out, by another driver each time that one is killed."""
        move = self.move(request, name)
        for _ in range(10):
            try:
                return move.run()
            except Killed:
                move = self.move(request, move.directory.name)
                self.clock.spend(1.0)
        raise AssertionError("the drivers were killed too often")

    def position(self, request: Request, name: str) -> Position:
        state = self.grid(request.target_grid).state
        return journal_position(state.move_directory(name) / "journal.jsonl")

    def log(self, report: Report) -> str:
        return (self.grid(report.target_grid).state.move_directory(report.move) / "log").read_text()

    def writes_on(self, grid: Grid, project: str = APP) -> list[int]:
        return list(map(int, (grid.engine.place(f"{project}_data") / "writes").read_text().split()))


@contextmanager
def new_world() -> Iterator[World]:
    """Both grids with the application on grid-a. In memory, where that is possible: moves write durably, and often."""
    root = Path(tempfile.mkdtemp(prefix="moves-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        made = World(root)
        made.provision()
        yield made
    finally:
        shutil.rmtree(root)


class SpiedJournal(Journal):
    """A journal that tells of what it writes, before and after."""

    def __init__(self, path: Path, action: Action, clock: Clock, world: World) -> None:
        self._world = world
        super().__init__(path, action, clock)

    def _write(self, event: str, data: Mapping[str, Any]) -> None:
        super()._write(event, data)
        self._world.journalled(event, data)
        self._world.reached(f"after journal {event}")


class SpiedMove(Move):
    """A move whose journal is spied on."""

    def __init__(
        self, world: World, request: Request, source: Any, target: LocalTarget, directory: Path, clock: Clock
    ) -> None:
        self._world = world
        self.directory = directory
        super().__init__(request, source, target, directory, clock)

    def open_journal(self, path: Path, action: Action, clock: Clock) -> Journal:
        return SpiedJournal(path, action, clock, self._world)


def compose_file(**changes: Any) -> dict[str, Any]:
    """The Compose file of the application."""
    file: dict[str, Any] = {
        "services": {
            "web": {
                "image": IMAGES[0],
                "restart": "always",
                "ports": ["${SHOP_PORT}:80"],
                "volumes": ["data:/data"],
                "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
            },
            "db": {"image": IMAGES[1], "restart": "unless-stopped", "volumes": ["data:/data"]},
        },
        "volumes": {"data": {}},
    }
    return file | changes
