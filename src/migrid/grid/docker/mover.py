"""Movers on a Docker Engine: for each move, one container of the helper image beside the trees of the application."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..application import Tree, TreeKind
from ..errors import EngineError
from ..volumes.client import Mover
from . import subvolume as docker_subvolume
from .cli import DockerCli, said

LABEL = "mig.move"
_CAPABILITIES = (
    *("DAC_OVERRIDE", "DAC_READ_SEARCH", "CHOWN", "FOWNER", "FSETID", "MKNOD", "SETFCAP"),
    "SYS_ADMIN",  # trusted.* attributes, and snapshots of btrfs subvolumes
)
_CONFINED = ("--pull", "never", "--network", "none", "--read-only")
_TREES = "/trees"
_SNAPSHOTS = "/snapshots"
_SNAPSHOTS_OF = "mig_snapshots_"
_COMMAND = ("python3", "-m", "migrid.grid.volumes.mover", "--socket")
_READY_TIMEOUT = 30.0
_POLL = 0.05


@dataclass(frozen=True)
class Place:
    """Where a mover is: the move's name, the image, the directory of its socket, and that of a receiver's memory.
    The directories have the same path on the engine's host and here."""

    move: str
    image: str
    run: Path
    state: Path

    @property
    def container(self) -> str:
        return f"mig_mover_{self.move}"

    @property
    def snapshots(self) -> str:
        """The volume in which a sender keeps snapshots."""
        return f"{_SNAPSHOTS_OF}{self.move}"

    @property
    def socket(self) -> Path:
        return self.run / "mover.sock"


def start(cli: DockerCli, place: Place, trees: Sequence[Tree], writable: bool) -> Mover:
    """The mover, started if it does not run."""
    if not place.image:
        raise EngineError("This grid's configuration names no helper image; the playbook playbooks/grids.yml sets it.")
    if not _runs(cli, place):
        place.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.socket.unlink(missing_ok=True)
        cli.try_("rm", "--force", place.container)
        cli.run(*command(place, trees, writable))
    _wait(cli, place)
    from ..volumes.control import SocketMover

    return SocketMover(place.socket)


def present(cli: DockerCli) -> frozenset[str]:
    """The moves that have a mover, or the snapshots of one."""
    containers = cli.lines("ps", "--all", "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}}')
    volumes = cli.lines("volume", "ls", "--quiet", "--filter", f"name={_SNAPSHOTS_OF}")
    return frozenset([*containers, *(name.removeprefix(_SNAPSHOTS_OF) for name in volumes)])


def remove(cli: DockerCli, place: Place) -> None:
    """End the mover, and remove the snapshots that it keeps. The receiver's memory stays."""
    cli.try_("rm", "--force", place.container)
    if cli.inspect("volume", [place.snapshots]):
        cli.run(*_clearing_command(place))
        cli.run("volume", "rm", place.snapshots)
    shutil.rmtree(place.run, ignore_errors=True)


def command(place: Place, trees: Sequence[Tree], writable: bool) -> list[str]:
    """`docker run` for a mover: no network, no power but over the metadata of files, nothing to write to but trees."""
    return [
        *("run", "--detach", "--name", place.container, "--label", f"{LABEL}={place.move}"),
        *_CONFINED,
        *("--security-opt", "no-new-privileges", "--tmpfs", "/tmp"),  # noqa: S108 -- in the container
        *("--cap-drop", "ALL", *_each("--cap-add", _CAPABILITIES)),
        *_each("--mount", (_tree_mount(tree, writable) for tree in trees)),
        *_each("--mount", _own_mounts(place, writable)),
        *("--entrypoint", _COMMAND[0], place.image, *_COMMAND[1:], str(place.socket)),
    ]


def _clearing_command(place: Place) -> list[str]:
    """Snapshots are read-only subvolumes, which the engine cannot remove with their volume."""
    mount = _mount(type="volume", source=place.snapshots, target=_SNAPSHOTS)
    program = ("--entrypoint", "python3", place.image, "-m", docker_subvolume.MODULE, "clear", _SNAPSHOTS)
    return ["run", "--rm", *_CONFINED, "--mount", mount, "--cap-add", "SYS_ADMIN", *program]


def _tree_mount(tree: Tree, writable: bool) -> str:
    options = () if writable else ("readonly",)
    target = f"{_TREES}/{tree.name}"
    if tree.kind is TreeKind.DIRECTORY:
        return _mount(*options, type="bind", source=tree.location, target=target)
    return _mount("volume-nocopy", *options, type="volume", source=tree.location, target=target)


def _own_mounts(place: Place, writable: bool) -> list[str]:
    mounts = [
        _mount(type="bind", source=str(place.run), target=str(place.run)),
        _mount(type="volume", source=place.snapshots, target=_SNAPSHOTS),
    ]
    if writable:
        mounts.append(_mount(type="bind", source=str(place.state), target=str(place.state)))
    return mounts


def _mount(*flags: str, **fields: str) -> str:
    """The value of `--mount`, which is a line of comma-separated values."""
    parts = [f"{name}={value}" for name, value in fields.items()]
    return ",".join(f'"{part}"' if "," in part else part for part in [*parts, *flags])


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _runs(cli: DockerCli, place: Place) -> bool:
    found = cli.inspect("container", [place.container])
    return bool(found and found[0]["State"]["Running"])


def _wait(cli: DockerCli, place: Place) -> None:
    """Until the mover accepts connections."""
    deadline = time.monotonic() + _READY_TIMEOUT
    while not _answers(place.socket):
        if not _runs(cli, place) or time.monotonic() > deadline:
            logs = cli.try_("logs", "--tail", "5", place.container)
            words = said(f"{logs.output}\n{logs.errors}") or "it printed nothing"
            raise EngineError(
                f"The container {place.container}, which is to copy the application's files, does not run: {words}"
            )
        time.sleep(_POLL)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True
