"""Movers as processes of their own, driven over their sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from loopback import wait_until
from volumes_rig import Pair, channels, finish, quiet

from migrid.grid.errors import CopyError, UnreachableError
from migrid.grid.volumes.client import Progress, Session
from migrid.grid.volumes.control import SocketMover

MIB = 1 << 20


class Process:
    """A mover that runs."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        self.mover, self.process = SocketMover(path), process

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in listed.split()]


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0


@contextmanager
def started(directory: Path, trees: Path) -> Iterator[Process]:
    directory.mkdir()
    path = directory / "mover.sock"
    command = [sys.executable, "-m", "migrid.grid.volumes.mover", "--socket", str(path), "--trees", str(trees)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        try:
            wait_until(lambda: process.poll() is not None or answers(path))
            yield Process(path, process)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def movers(ext4_pair: Pair, tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    """The sender's and the receiver's."""
    with ExitStack() as stack:
        source = stack.enter_context(started(tmp_path / "s", ext4_pair.source.parent))
        target = stack.enter_context(started(tmp_path / "t", ext4_pair.target.parent))
        yield source, target


@contextmanager
def session(movers: tuple[Process, Process], ext4_pair: Pair) -> Iterator[Session]:
    here, there = channels()
    wait = movers[0].mover.send(here)
    opened = movers[1].mover.receive(there, ext4_pair.state)
    for channel in (here, there):
        channel.close()
    try:
        yield opened
    finally:
        opened.close()
        wait()


def test_a_copy(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    (ext4_pair.source / "file").write_bytes(os.urandom(3 * MIB))
    seen: list[Progress] = []
    with session(movers, ext4_pair) as opened:
        assert opened.survey().files == 2
        opened.round(False, None, seen.append)
        (ext4_pair.source / "file").write_bytes(os.urandom(3 * MIB))
        last, proof = finish(opened)
        assert (last.final, proof.files) == (True, 2)
        assert proof.bytes_read == 3 * MIB
    assert seen
    ext4_pair.assert_equal()


def test_errors_come_as_what_they_are(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    (ext4_pair.source / "file").write_bytes(b"x")
    with session(movers, ext4_pair) as opened:
        opened.round(False, None, quiet)
        (ext4_pair.target / "file").write_bytes(b"y")
        with pytest.raises(CopyError, match="among them: data/file"):
            opened.verify(quiet)
        finish(opened)
        movers[0].process.terminate()
        movers[0].process.wait()
        with pytest.raises(UnreachableError, match=r"[Tt]he connection"):
            opened.round(False, None, quiet)
    ext4_pair.assert_equal()


def test_a_receiver_that_is_killed(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    (ext4_pair.source / "file").write_bytes(os.urandom(4 * MIB))
    with session(movers, ext4_pair) as opened:

        def kill(progress: Progress) -> None:
            for child in movers[1].children():
                os.kill(child, signal.SIGKILL)

        with pytest.raises(UnreachableError, match="mover ended"):
            opened.round(False, MIB, kill)
    with session(movers, ext4_pair) as opened:
        finish(opened)
    ext4_pair.assert_equal()


def test_closing_ends_both_sides(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    (ext4_pair.source / "file").write_bytes(os.urandom(4 * MIB))
    with session(movers, ext4_pair) as opened:
        begun = threading.Event()
        threading.Thread(target=lambda: (begun.wait(), opened.close())).start()
        with pytest.raises(UnreachableError):
            opened.round(False, 100_000, lambda _: begun.set())
    while movers[0].children() or movers[1].children():
        threading.Event().wait(0.01)


def test_a_process_may_live_as_long_as_its_sender(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    here, there = channels()
    serving = threading.Thread(target=movers[0].mover.send(here))
    serving.start()
    opened = movers[1].mover.receive(there, ext4_pair.state)
    there.close()
    assert opened.survey().files == 1
    assert serving.is_alive()
    opened.close()
    serving.join(10)
    assert not serving.is_alive()
    here.close()


def test_a_mover_that_is_not_there(tmp_path: Path) -> None:
    here, there = channels()
    with pytest.raises(UnreachableError, match="does not answer: No such file"):
        SocketMover(tmp_path / "none").send(here)
    for channel in (here, there):
        channel.close()


def test_a_state_that_cannot_be_made(movers: tuple[Process, Process], ext4_pair: Pair, tmp_path: Path) -> None:
    here, there = channels()
    (tmp_path / "file").touch()
    with pytest.raises(CopyError, match="File exists"):
        movers[1].mover.receive(there, tmp_path / "file")
    for channel in (here, there):
        channel.close()


def test_sigterm_ends_it_with_all_that_it_does(movers: tuple[Process, Process], ext4_pair: Pair) -> None:
    here, there = channels()
    wait = movers[0].mover.send(here)
    here.close()
    movers[0].process.terminate()
    assert movers[0].process.wait(10) == 0
    wait()
    assert os.read(there.reader, 1) == b""
    there.close()
