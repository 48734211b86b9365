"""Two movers in one process with a channel between them, and trees told apart without the code under test."""

from __future__ import annotations

import mmap
import os
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from migrid.grid.volumes import plan
from migrid.grid.volumes.client import Channel, Progress, Round, Session, Verification
from migrid.grid.volumes.inprocess import InProcessMover


def quiet(progress: Progress) -> None:
    """Nobody looks."""


def channels() -> tuple[Channel, Channel]:
    """The two ends of a pair of pipes, as SSH has them."""
    to_sender, to_receiver = os.pipe(), os.pipe()
    return _channel(to_sender[0], to_receiver[1]), _channel(to_receiver[0], to_sender[1])


def _channel(reader: int, writer: int) -> Channel:
    left = [reader, writer]

    def close() -> None:
        while left:
            os.close(left.pop())

    return Channel(reader, writer, close)


class Pair:
    """A source and a target directory, each with trees, and what the receiver remembers."""

    def __init__(self, source: Path, target: Path, state: Path, names: tuple[str, ...] = ("data",)) -> None:
        self.sources = {name: source / name for name in names}
        self.targets = {name: target / name for name in names}
        self.state = state
        self.places: Path | None = None
        for path in (*self.sources.values(), *self.targets.values()):
            path.mkdir(parents=True, exist_ok=True)
        self.source, self.target = self.sources[names[0]], self.targets[names[0]]

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A new session, as after a broken connection."""
        here, there = channels()
        wait = InProcessMover(self.sources, self.places).send(here)
        here.close()
        session = InProcessMover(self.targets).receive(there, self.state)
        there.close()
        try:
            yield session
        finally:
            session.close()
            wait()

    def copy(self) -> tuple[Round, Verification]:
        """One whole copy in a session of its own."""
        with self.session() as session:
            return finish(session)

    def assert_equal(self) -> None:
        for name, source in self.sources.items():
            assert describe(self.targets[name]) == describe(source)


def on_subvolume(top: Path, state: Path) -> Pair:
    """A pair whose source is a subvolume of btrfs, with a place for its snapshots."""
    for path in (top / "source", top / "snapshots" / "data"):
        path.mkdir(parents=True)
    subprocess.run(["btrfs", "-q", "subvolume", "create", top / "source" / "data"], check=True)
    pair = Pair(top / "source", top / "target", state)
    pair.places = top / "snapshots"
    return pair


def finish(session: Session) -> tuple[Round, Verification]:
    """The last round and its proof."""
    last = session.round(True, None, quiet)
    proof = session.verify(quiet)
    assert proof.manifest == last.manifest
    return last, proof


def describe(top: Path) -> Mapping[bytes, object]:
    """All that can be seen of a tree, other than inode numbers, ctimes and which blocks are allocated."""
    groups: dict[tuple[int, int], bytes] = {}
    return {path: _describe(path, os.fsencode(top) + b"/" + path, groups) for path in sorted(_walk(top))}


def _walk(top: Path) -> Iterator[bytes]:
    found = subprocess.run(["find", ".", "-print0"], cwd=top, stdout=subprocess.PIPE, check=True)
    return iter(found.stdout.split(b"\0")[:-1])


def _describe(path: bytes, where: bytes, groups: dict[tuple[int, int], bytes]) -> object:
    found = os.lstat(where)
    names = sorted(os.listxattr(where, follow_symlinks=False))
    attributes = [(name, os.getxattr(where, name, follow_symlinks=False)) for name in names]
    content: object = None
    if stat.S_ISREG(found.st_mode):
        content = Path(os.fsdecode(where)).read_bytes()
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(where)  # noqa: PTH115
    leader = path if stat.S_ISDIR(found.st_mode) else groups.setdefault((found.st_dev, found.st_ino), path)
    links = 0 if stat.S_ISDIR(found.st_mode) else found.st_nlink
    device = found.st_rdev if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode) else 0
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, leader, links, device, attributes, content)


def wait_for_tick(directory: Path) -> None:
    """Return when a change of a file gets a ctime that no earlier change has got."""
    probe = directory.with_name("tick")
    probe.touch()
    before = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == before:
        probe.touch()


def wait_until_settled(*paths: Path) -> None:
    """Return when the last change of all paths is so long ago that a sender trusts their ctime."""
    newest = max(path.lstat().st_ctime_ns for path in paths)
    while time.time_ns() <= newest + plan.RACY_NANOSECONDS:
        time.sleep(0.01)


@contextmanager
def memory_map(path: Path) -> Iterator[mmap.mmap]:
    """A file as a shared memory map."""
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        yield mapped
