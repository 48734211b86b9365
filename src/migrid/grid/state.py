"""What a grid remembers on its host: its configuration, its applications and its moves, as files below one directory.

Every write is atomic and survives a power cut. Nothing here decides anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .. import files
from . import names, records
from .application import Definition
from .errors import GridError, LockedError
from .sides import Forward, Lock, Right

ROOT = Path("/var/lib/migrid/grid")
ETC = Path("/etc/migrid/grid")

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Peer:
    """How another grid is reached."""

    address: str
    ssh_port: int = 22
    account: str = "mig-grid"


@dataclass(frozen=True)
class Owner:
    """Somebody who may move `applications`, and give them these `properties` on the grid that they go to."""

    applications: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configuration:
    """What the inventory says of this grid. `app_config` has, for each application, the properties that it gets here
    whatever its own are. `owners` are those who may move applications of theirs, by name. One of the `monitor_ports` is
    for the monitor of each move. `engine` is `docker`, or `model` for tests that need no containers."""

    name: str
    address: str
    helper_image: str = ""
    peers: Mapping[str, Peer] = field(default_factory=dict)
    app_config: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    owners: Mapping[str, Owner] = field(default_factory=dict)
    monitor_ports: str = "28500-28599"
    engine: str = "docker"
    ssh_port: int = 22


@dataclass(frozen=True)
class RightRecord:
    """Who may run an application. `move` is the one that changed it last, `lease_until` is in seconds since 1970.

    `policies` are the restart policies, by the containers' ids, that a stop for a move took away; `ran` tells whether
    the application ran before that stop. `target_grid` and `target_app` say where it went, and `owner` whose it was.
    `page` is what was forwarded to the monitor of the move meanwhile, which may have been replaced since.
    """

    right: Right = Right.HERE
    move: str = ""
    lease_until: float = 0.0
    policies: Mapping[str, str] = field(default_factory=dict)
    ran: bool = False
    target_grid: str = ""
    target_app: str = ""
    owner: str = ""
    page: tuple[Forward, ...] = ()


@dataclass(frozen=True)
class Record:
    """An application that this grid knows.

    It is `managed` when it was provisioned here or arrived by a move; otherwise somebody started it with Compose, and
    the record only exists while a move holds it. `properties` are the application's own, without those that the grid's
    and the owner's `app_config` give it here. `owner` is who may move it besides the operator, as the grid that it came
    from said. Until it is `settled`, the move `arrived_by` may still take it away. `stopped` is what the operator
    wants, or what a snapshot is. `replaced` is the marker that stood here before it arrived, and stands again when it
    is taken away.
    """

    name: str
    managed: bool
    definition: Definition
    properties: Mapping[str, str] = field(default_factory=dict)
    arrived_by: str | None = None
    settled: bool = True
    stopped: bool = False
    replaced: RightRecord | None = None
    owner: str = ""
    app_config: Mapping[str, str] = field(default_factory=dict, repr=False)


class State:
    """The files of one grid below `root`, and its configuration below `etc`."""

    def __init__(self, root: Path = ROOT, etc: Path = ETC) -> None:
        self.root = root
        self.etc = etc

    def configuration(self) -> Configuration:
        """Raises GridError when this host was not made a grid."""
        path = self.etc / "grid.json"
        configuration = _read(Configuration, path)
        if configuration is None:
            raise GridError(f"This host is no grid: there is no {path}. The playbook playbooks/grids.yml makes it one.")
        return configuration

    def applications(self) -> list[str]:
        """The names of all applications that have left a trace here, markers of those that moved away included."""
        return _directories(self.root / "applications")

    def application_directory(self, app: str) -> Path:
        return self.root / "applications" / names.application(app)

    def project_directory(self, app: str) -> Path:
        """Where the Compose project of an application that was provisioned here, or arrived, is."""
        return self.application_directory(app) / "project"

    def properties_file(self, app: str) -> Path:
        """The environment file of the application's properties, with those that this grid gives it."""
        return self.application_directory(app) / "properties.env"

    def override_file(self, app: str) -> Path:
        """The further Compose file with what arrival needed; there only when something was."""
        return self.application_directory(app) / "override.json"

    def owner_key(self, app: str) -> Path:
        """The key that was made for the owner of an application that begins here, if one was."""
        return self.root / "owners" / names.application(app) / "id_ed25519"

    def record(self, app: str) -> Record | None:
        return _read(Record, self.application_directory(app) / "record.json")

    def write_record(self, record: Record) -> None:
        write_json(self.application_directory(record.name) / "record.json", record)

    def clear_record(self, app: str) -> None:
        _remove(self.application_directory(app) / "record.json")

    def right(self, app: str) -> RightRecord:
        """Who may run the application; of one that no move has touched, this grid may."""
        return _read(RightRecord, self.application_directory(app) / "right.json") or RightRecord()

    def write_right(self, app: str, right: RightRecord) -> None:
        write_json(self.application_directory(app) / "right.json", right)

    def clear_right(self, app: str) -> None:
        _remove(self.application_directory(app) / "right.json")

    def lock(self, app: str) -> Lock | None:
        """The move that holds the application."""
        return _read(Lock, self.application_directory(app) / "lock.json")

    def write_lock(self, app: str, lock: Lock) -> None:
        write_json(self.application_directory(app) / "lock.json", lock)

    def clear_lock(self, app: str) -> None:
        _remove(self.application_directory(app) / "lock.json")

    def seconds(self, app: str) -> dict[str, float]:
        """How long the last `stop` and the last `start` (until healthy) took, where known."""
        data = _load(self.application_directory(app) / "seconds.json")
        return {key: float(value) for key, value in data.items()} if data else {}

    def write_seconds(self, app: str, seconds: Mapping[str, float]) -> None:
        """Remember these; what is known of others stays."""
        write_json(self.application_directory(app) / "seconds.json", {**self.seconds(app), **seconds})

    def forget(self, app: str) -> None:
        """Remove all that is remembered of an application, its project directory included."""
        _remove_tree(self.application_directory(app))

    def leave_marker(self, app: str) -> None:
        """Remove all that is remembered of an application but who has the right to run it, and the moves' own files."""
        for path in self.application_directory(app).glob("*"):
            if path.is_dir():
                _remove_tree(path)
            elif path.name in ("record.json", "seconds.json", "properties.env", "override.json", "provisioned.json"):
                _remove(path)

    def tidy(self, app: str) -> None:
        """Remove the application's directory if nothing is in it any more."""
        directory = self.application_directory(app)
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()

    def move_directory(self, move: str) -> Path:
        return self.root / "moves" / names.move(move)

    def moves(self) -> list[str]:
        """The names of all moves to this grid that are remembered, oldest first."""
        return _directories(self.root / "moves")

    @contextmanager
    def exclusive(self, app: str) -> Iterator[None]:
        """Wait until nobody else changes the application, and keep others out. Not for twice in one thread."""
        with self._flock("exclusive", app, fcntl.LOCK_EX):
            yield

    @contextmanager
    def exclusive_now(self, app: str) -> Iterator[None]:
        """As `exclusive`, but raises LockedError at once when somebody else is at it."""
        with self._flock("exclusive", app, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    @contextmanager
    def forwarding(self, app: str) -> Iterator[None]:
        """Wait until nobody else changes what is forwarded for the application. Whoever needs `exclusive` too asks for
        that first."""
        with self._flock("forwarding", app, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _flock(self, kind: str, app: str, operation: int) -> Iterator[None]:
        path = self.root / kind / names.application(app)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = _locked(path, operation)
        try:
            yield
        finally:
            if not self.application_directory(app).exists():
                path.unlink(missing_ok=True)
            os.close(descriptor)


def here() -> State:
    """The state of this host's grid, or of the one that $MIG_GRID_STATE and $MIG_GRID_ETC point to."""
    return State(Path(os.environ.get("MIG_GRID_STATE", ROOT)), Path(os.environ.get("MIG_GRID_ETC", ETC)))


def write_json(path: Path, value: Any) -> None:
    """Replace the file by `value`, a record or plain data, atomically and durably; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(records.to_data(value), indent=1, sort_keys=True)
    files.replace(path, text.encode() + b"\n", 0o600)
    sync(path.parent)


def read_json(kind: type[Kind], path: Path) -> Kind | None:
    """The record that `write_json` wrote, or None if there is none. Raises GridError."""
    return _read(kind, path)


def _read(kind: type[Kind], path: Path) -> Kind | None:
    data = _load(path)
    if data is None:
        return None
    try:
        return records.from_data(kind, data)
    except (TypeError, ValueError, KeyError) as error:
        raise GridError(f"{path} does not hold what it should: {error}") from error


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise GridError(f"Cannot read {path}: {error}") from error


def _remove(path: Path) -> None:
    if path.exists():
        path.unlink()
        sync(path.parent)


def _remove_tree(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
        sync(path.parent)


def sync(directory: Path) -> None:
    """Let what was made, renamed or removed in the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _directories(parent: Path) -> list[str]:
    if not parent.is_dir():
        return []
    return sorted(path.name for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def _locked(path: Path, operation: int) -> int:
    """A descriptor that holds the lock on the file that has the path now, not on one removed meanwhile."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, operation)
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise LockedError(f"{path.name} is being changed by somebody else just now; try again.") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
