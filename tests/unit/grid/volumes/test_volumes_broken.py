"""Sides that die, channels that break, disks that are full: what arrived stays known, and a new session goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import mounted
from random_tree import RandomTree
from volumes_rig import Pair, channels, finish, quiet

from migrid.grid.errors import CopyError, UnreachableError
from migrid.grid.volumes.client import Channel, Progress, Session
from migrid.grid.volumes.inprocess import InProcessMover

MIB = 1 << 20
HERE = Path(__file__).parent


@contextmanager
def receiver_process(pair: Pair, channel: Channel) -> Iterator[subprocess.Popen[bytes]]:
    """A receiver that can be killed, in the middle of a copy."""
    program = (
        "import sys; from pathlib import Path; from volumes_rig import *\n"
        "channel = Channel(int(sys.argv[1]), int(sys.argv[2]), lambda: None)\n"
        "session = InProcessMover({'data': Path(sys.argv[3])}).receive(channel, Path(sys.argv[4]))\n"
        "finish(session)\n"
    )
    numbers = [str(channel.reader), str(channel.writer)]
    command = [sys.executable, "-c", program, *numbers, str(pair.target), str(pair.state)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    passed = (channel.reader, channel.writer)
    with subprocess.Popen(command, env=environment, pass_fds=passed, stderr=subprocess.DEVNULL) as process:
        channel.close()
        yield process


def relay(reader: int, writer: int, limit: int) -> None:
    """Pass on at most so many bytes."""
    done = 0
    with suppress(BrokenPipeError):
        while done < limit and (data := os.read(reader, min(64 << 10, limit - done))):
            os.write(writer, data)
            done += len(data)


def killed_at(pair: Pair, position: int) -> None:
    """One copy whose receiver is killed when it has been sent so many bytes, if it did not end before."""
    here, between = channels()
    between_too, there = channels()
    InProcessMover(pair.sources).send(here)
    here.close()
    asking = threading.Thread(target=relay, args=(between_too.reader, between.writer, 1 << 40))
    answering = threading.Thread(target=relay, args=(between.reader, between_too.writer, position))
    with receiver_process(pair, there) as process:
        asking.start()
        answering.start()
        while answering.is_alive() and process.poll() is None:
            answering.join(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        asking.join()
    os.close(between.writer)
    answering.join()
    os.close(between.reader)
    between_too.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_receiver_that_is_killed_anywhere(ext4_pair: Pair, seed: int) -> None:
    tree = RandomTree(ext4_pair.source, seed)
    tree.edit(60)
    (ext4_pair.source / "large").write_bytes(tree.random.randbytes(6 * MIB))
    for _ in range(3):
        killed_at(ext4_pair, tree.random.choice([tree.random.randrange(20_000), tree.random.randrange(6 * MIB)]))
        tree.edit(6)
    ext4_pair.copy()
    ext4_pair.assert_equal()


def test_what_arrived_before_a_kill_is_not_sent_again(ext4_pair: Pair) -> None:
    (ext4_pair.source / "large").write_bytes(os.urandom(20 * MIB))
    killed_at(ext4_pair, 16 * MIB)
    last, _ = ext4_pair.copy()
    assert last.bytes < 12 * MIB
    ext4_pair.assert_equal()


@pytest.mark.parametrize("position", [0, 700, 3 * MIB, 9 * MIB])
def test_a_connection_that_breaks_in_a_round(pair: Pair, position: int) -> None:
    """What has arrived is known, and need not be read to be known."""
    for name in "abc":
        (pair.source / name).write_bytes(os.urandom(3 * MIB))
    (pair.source / "directory").mkdir(mode=0o700)
    with broken_at(position, pair) as session:
        with pytest.raises(UnreachableError, match="connection"):
            session.round(False, None, quiet)
        with pytest.raises(CopyError, match="session has ended"):
            session.round(False, None, quiet)
    assert not (pair.state / "torn").exists()
    last, _ = pair.copy()
    assert last.changed_bytes <= 10 * MIB - position
    pair.assert_equal()


@contextmanager
def broken_at(position: int, pair: Pair) -> Iterator[Session]:
    """A session whose connection breaks when the receiver has been sent so many bytes of a round."""
    asked, passed, sent, cut = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    wait = InProcessMover(pair.sources).send(Channel(passed[0], sent[1], lambda: None))
    session = InProcessMover(pair.targets).receive(Channel(cut[0], asked[1], lambda: None), pair.state)
    for number in (passed[0], sent[1], cut[0], asked[1]):
        os.close(number)
    ways = [(sent[0], cut[1], position), (asked[0], passed[1], 1 << 40)]
    threads = [threading.Thread(target=relay_and_close, args=way) for way in ways]
    for thread in threads:
        thread.start()
    try:
        yield session
    finally:
        session.close()
        for thread in threads:
            thread.join()
        wait()


def relay_and_close(reader: int, writer: int, limit: int) -> None:
    with suppress(OSError):
        relay(reader, writer, limit)
    os.close(reader)
    os.close(writer)


def test_closing_from_another_thread_ends_a_round_at_once(pair: Pair) -> None:
    (pair.source / "large").write_bytes(os.urandom(2 * MIB))
    with pair.session() as session:
        begun = threading.Event()
        threading.Thread(target=lambda: (begun.wait(), session.close())).start()

        def tell(progress: Progress) -> None:
            begun.set()

        started = time.monotonic()
        with pytest.raises(UnreachableError):
            session.round(False, 100_000, tell)
        assert time.monotonic() - started < 5, "the round would have taken 20 s"


def test_a_limited_round_takes_its_time(pair: Pair) -> None:
    (pair.source / "large").write_bytes(os.urandom(2 * MIB))
    with pair.session() as session:
        one = session.round(False, 4 * MIB, quiet)
        assert 0.3 < one.seconds < 3
        (pair.source / "large").write_bytes(os.urandom(2 * MIB))
        finish(session)
    pair.assert_equal()


def test_a_full_disk_is_a_clear_error_and_can_be_mended(tmp_path: Path, tmpfs: Path) -> None:
    with mounted(tmp_path / "small", "tmpfs", 4) as small:
        pair = Pair(tmpfs / tmp_path.name, small, tmp_path / "state")
        (pair.source / "1").write_bytes(os.urandom(3 * MIB))
        (pair.source / "2").write_bytes(os.urandom(3 * MIB))
        with pair.session() as session, pytest.raises(CopyError, match=os.strerror(errno.ENOSPC)):
            session.round(False, None, quiet)
        (pair.source / "1").unlink()
        pair.copy()
        pair.assert_equal()


def test_a_sender_that_cannot_read_says_what(pair: Pair, tmp_path: Path) -> None:
    with mounted(tmp_path / "gone", "tmpfs", 4) as gone:
        pair.sources["data"] = gone
        here, there = channels()
        InProcessMover({"other": gone}).send(here)
        session = InProcessMover(pair.targets).receive(there, pair.state)
        with pytest.raises(CopyError, match=r"trees here \(data\) are not those of the other grid \(other\)"):
            session.survey()
        for channel in (here, there):
            channel.close()


def test_a_tree_that_is_not_there(tmp_path: Path) -> None:
    here, there = channels()
    with pytest.raises(CopyError, match="tree data cannot be opened: No such file"):
        InProcessMover({"data": tmp_path / "nothing"}).send(here)
    for channel in (here, there):
        channel.close()


def test_files_that_come_and_go_meanwhile_are_no_error(ext4_pair: Pair) -> None:
    tree = RandomTree(ext4_pair.source, 7)
    tree.edit(80)
    stop = threading.Event()

    def restless() -> None:
        while not stop.is_set():
            tree.edit(5)

    thread = threading.Thread(target=restless)
    thread.start()
    with ext4_pair.session() as session:
        for _ in range(5):
            session.round(False, None, quiet)
        stop.set()
        thread.join()
        finish(session)
    ext4_pair.assert_equal()


def test_a_last_round_notices_that_somebody_still_writes(pair: Pair) -> None:
    path = pair.source / "busy"
    path.write_bytes(os.urandom(4 * MIB))
    with pair.session() as session:

        def write(progress: Progress) -> None:
            path.write_bytes(b"still at work")

        with pytest.raises(CopyError, match=r"Something still writes to the source.*data/busy"):
            session.round(True, 4 * MIB, write)
