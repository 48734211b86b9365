"""A sender that lies: the receiver writes nothing outside of its trees, and takes no memory for what was not sent."""

from __future__ import annotations

import os
import stat
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from volumes_rig import Pair, channels, describe, quiet

from migrid.grid.errors import CopyError, GridError
from migrid.grid.volumes import messages
from migrid.grid.volumes.blocks import BLOCK, CHUNK, content_digest, hash_blocks
from migrid.grid.volumes.client import Session
from migrid.grid.volumes.entry import Entry, Stat, encode
from migrid.grid.volumes.inprocess import InProcessMover
from migrid.grid.volumes.messages import Kind
from migrid.grid.volumes.wire import Wire

Frame = tuple[int, bytes]
FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
HELLO = (int(Kind.HELLO), messages.hello((b"data",)))
BEGIN = (int(Kind.BEGIN), messages.BEGIN.pack(1))
DONE = (int(Kind.DONE), messages.DONE.pack(b"0" * 64, 0, 0))
END_EMPTY = (int(Kind.END), messages.END.pack(0, 1, content_digest({})))

END_OF_FOUR = (int(Kind.END), messages.END.pack(4, 1, content_digest({})))


def node(mode: int, **values: int) -> Stat:
    return replace_stat(Stat(1, 2, mode, 0, 0, 0, 0, 0, 0), values)


def replace_stat(base: Stat, values: dict[str, int]) -> Stat:
    return base._replace(**values)


def sent(path: bytes, mode: int, base: int = 0, target: bytes = b"", leader: bytes = b"", staged: int = 0) -> Frame:
    entry = Entry(path, node(mode), leader or path, target, settled=True)
    return int(Kind.SEND), messages.encode_send(base, staged, b"", entry)


def data(number: int, length: int, literal: int, content: bytes, zeros: int = 0, holes: int = 0) -> Frame:
    bits = literal | zeros | holes
    head = struct.pack(">QIQQQ", number, length, literal, zeros, holes)
    return int(Kind.DATA), head + bytes(16) * bits.bit_count() + content


@dataclass(frozen=True)
class Prey:
    """A target with something beside it that must stay as it is."""

    pair: Pair
    outside: Path

    @contextmanager
    def session(self, *frames: Frame) -> Iterator[Session]:
        """A receiver to which all this is said, whatever it asks."""
        here, there = channels()
        wire = Wire(here.reader, here.writer)
        for kind, content in (HELLO, BEGIN, *frames):
            wire.send(kind, content)
        wire.flush()
        session = InProcessMover(self.pair.targets).receive(there, self.pair.state)
        for channel in (here, there):
            channel.close()
        try:
            yield session
        finally:
            session.close()
            wire.close()

    def round(self, *frames: Frame) -> None:
        with self.session(*frames) as session:
            session.round(False, None, quiet)


@pytest.fixture
def prey(tmpfs: Path, tmp_path: Path) -> Prey:
    top = tmpfs / tmp_path.name
    outside = top / "outside"
    outside.mkdir(parents=True)
    (outside / "file").write_bytes(b"untouched")
    return Prey(Pair(top / "source", top / "target", tmp_path / "state"), outside)


PATHS = [
    b"", b"/", b"..", b"data/..", b"data/../outside/new", b"data/a/../../outside/new", b"/etc/new", b"data//new",
    b"data/./new", b"data/new/", b"other/new", b"data/" + b"n" * 256, b"data/nul\0", b"data" + b"/d" * 40_000,
    b"data/missing/new",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", [FILE, DIRECTORY, LINK])
def test_a_path_that_leads_elsewhere(prey: Prey, path: bytes, mode: int) -> None:
    before = describe(prey.outside.parent)
    with pytest.raises(CopyError):
        prey.round(sent(b"data", DIRECTORY), sent(path, mode, target=b"x"), END_EMPTY, DONE)
    assert {name: value for name, value in describe(prey.outside.parent).items() if name != b"./target/data"} == {
        name: value for name, value in before.items() if name != b"./target/data"
    }


def test_a_way_through_a_symbolic_link(prey: Prey) -> None:
    link = sent(b"data/a", LINK, target=os.fsencode(prey.outside))
    for frames in ([sent(b"data/a/file", FILE)], [(int(Kind.REMOVE), b"data/a/file")], [sent(b"data/a", DIRECTORY)]):
        with pytest.raises(CopyError):
            prey.round(sent(b"data", DIRECTORY), link, *frames, sent(b"data/a/new", FILE), DONE)
        assert describe(prey.outside).keys() == {b".", b"./file"}
        assert (prey.outside / "file").read_bytes() == b"untouched"


def test_a_symbolic_link_in_place_of_a_file_that_is_changed(prey: Prey) -> None:
    (prey.pair.target / "a").symlink_to(prey.outside / "file")
    for base in (1, 2):
        with pytest.raises(CopyError):
            prey.round(sent(b"data/a", FILE, base=base), data(0, 4, 1, b"evil"), DONE)
    assert (prey.outside / "file").read_bytes() == b"untouched"


@pytest.mark.parametrize("leader", [b"data/../outside/file", b"outside/file", b"data/none", b"data"])
def test_a_hard_link_to_what_is_not_in_the_tree(prey: Prey, leader: bytes) -> None:
    with pytest.raises(CopyError):
        prey.round(sent(b"data", DIRECTORY), sent(b"data/b", FILE, leader=leader), DONE)
    assert not (prey.pair.target / "b").exists()


ORDERS: dict[str, list[Frame]] = {
    "a file that never ends": [sent(b"data/a", FILE), DONE],
    "content of nothing": [data(0, 4, 1, b"evil"), DONE],
    "an end of nothing": [END_EMPTY, DONE],
    "a file in a file": [sent(b"data/a", FILE), sent(b"data/b", FILE), DONE],
    "another content than said": [sent(b"data/a", FILE), data(0, 4, 1, b"evil"), END_OF_FOUR, DONE],
    "staging what is not here": [(int(Kind.STAGE), b"data/none"), DONE],
    "staging a way out": [(int(Kind.STAGE), b"data/../outside/file"), DONE],
    "building on what was not staged": [sent(b"data/a", FILE, base=2, staged=7), DONE],
    "an unknown base": [sent(b"data/a", FILE, base=9), DONE],
    "removing the tree": [(int(Kind.REMOVE), b"data"), DONE],
    "removing a way out": [(int(Kind.REMOVE), b"data/../outside/file"), DONE],
    "a tree that is a file": [sent(b"data", FILE), DONE],
    "an unknown frame": [(99, b""), DONE],
    "a frame of the other side": [(int(Kind.ROUND), messages.ROUND.pack(1, 1)), DONE],
    "a cut entry": [(int(Kind.SEND), b"\0" * 20), DONE],
    "a cut number": [(int(Kind.DONE), b"\0" * 20), DONE],
    "a type that is none": [sent(b"data/a", 0o150000), DONE],
    "a link without a target": [sent(b"data/a", LINK), DONE],
    "a link with a NUL": [sent(b"data/a", LINK, target=b"a\0b"), DONE],
    "an error": [(int(Kind.ERROR), b"\x1b[2Jnothing works" + b"!" * 100_000)],
    "another manifest than one": [(int(Kind.DONE), messages.DONE.pack(b"\xff" * 64, 0, 0))],
}


@pytest.mark.parametrize("frames", ORDERS.values(), ids=ORDERS)
def test_what_makes_no_sense(prey: Prey, frames: list[Frame]) -> None:
    with pytest.raises(CopyError) as caught:
        prey.round(*frames)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 5000
    assert (prey.outside / "file").read_bytes() == b"untouched"
    prey.pair.copy()
    prey.pair.assert_equal()


@pytest.mark.parametrize(
    "content",
    [
        data(1 << 60, CHUNK, 1, bytes(BLOCK)),
        data((1 << 63) // CHUNK - 1, CHUNK, 1 << 63, bytes(BLOCK)),
        data(0, CHUNK + 1, 1, bytes(BLOCK)),
        data(0, BLOCK, 3, bytes(2 * BLOCK)),
        data(0, BLOCK, 1, bytes(BLOCK - 1)),
        data(0, BLOCK, 1, bytes(BLOCK + 1)),
        (int(Kind.DATA), b"short"),
        (int(Kind.HOLE), b"short"),
        (int(Kind.END), messages.END.pack(1 << 63, 1, bytes(16))),
        (int(Kind.END), messages.END.pack((1 << 63) - 1, 1, bytes(16))),
    ],
)
def test_numbers_that_are_too_large(prey: Prey, content: Frame) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CopyError):
            prey.round(sent(b"data/a", FILE), content, DONE)
        assert tracemalloc.get_traced_memory()[1] < 32 * CHUNK
    finally:
        tracemalloc.stop()


def test_a_frame_that_is_longer_than_any(prey: Prey) -> None:
    here, there = channels()
    os.write(here.writer, struct.pack(">BI", Kind.HELLO, 0xFFFFFFFF) + bytes(1000))
    session = InProcessMover(prey.pair.targets).receive(there, prey.pair.state)
    with pytest.raises(CopyError, match="4294967295 bytes at once"):
        session.survey()
    for channel in (here, there):
        channel.close()


@pytest.mark.parametrize("greeting", [b"Welcome to this host!\n" * 10, b"\1\0\0\0\4nope"])
def test_what_answers_is_no_sender(prey: Prey, greeting: bytes) -> None:
    here, there = channels()
    os.write(here.writer, greeting)
    session = InProcessMover(prey.pair.targets).receive(there, prey.pair.state)
    with pytest.raises(CopyError):
        session.survey()
    for channel in (here, there):
        channel.close()


def test_owners_and_sizes_that_do_not_exist() -> None:
    for values in ({"uid": 0xFFFFFFFF}, {"gid": 0xFFFFFFFF}, {"size": 1 << 63}, {"mode": 1 << 20 | FILE}):
        with pytest.raises(ValueError, match="does not exist"):
            messages.decode_send(
                memoryview(
                    messages.encode_send(0, 0, b"", Entry(b"data/a", replace_stat(node(FILE), values), b"data/a"))
                )
            )


@settings(max_examples=150)
@given(frames=st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=200)), max_size=4))
def test_noise(tmp_path_factory: pytest.TempPathFactory, frames: list[Frame]) -> None:
    top = tmp_path_factory.mktemp("noise")
    outside = top / "outside"
    outside.mkdir()
    noisy = Prey(Pair(top / "source", top / "target", top / "state"), outside)
    with pytest.raises(GridError):
        noisy.round(*frames, (99, b""))


def test_a_receiver_that_lies_is_told_so(prey: Prey) -> None:
    here, there = channels()
    InProcessMover(prey.pair.sources).send(here)
    wire = Wire(there.reader, there.writer)
    for kind, content in ((Kind.HELLO, messages.hello(())), (Kind.ENTRY, b"no entry")):
        wire.send(kind, content)
    answers = [wire.receive()[0], wire.receive()[0]]
    assert answers == [Kind.HELLO, Kind.ERROR]
    wire.close()
    for channel in (here, there):
        channel.close()


def test_what_a_receiver_says_it_has_is_no_way_to_read_elsewhere(prey: Prey) -> None:
    (prey.pair.source / "a").write_bytes(b"x")
    here, there = channels()
    InProcessMover(prey.pair.sources).send(here)
    wire = Wire(there.reader, there.writer)
    known = Entry(b"../../outside/file", node(FILE), b"../../outside/file")
    for kind, content in (
        (Kind.HELLO, messages.hello(())),
        (Kind.ENTRY, encode(known)),
        (Kind.ROUND, b"\1" + bytes(8)),
    ):
        wire.send(kind, content)
    heard = []
    while not heard or heard[-1][0] != Kind.DONE:
        kind, content = wire.receive()
        heard.append((kind, bytes(content)))
    assert (Kind.REMOVE, known.path) in heard
    assert not any(b"untouched" in content for _, content in heard)
    wire.close()
    for channel in (here, there):
        channel.close()


def test_blocks_are_told_apart_by_their_hashes() -> None:
    assert len(set(hash_blocks(memoryview(bytes(range(256)) * 256)))) == 1
    assert hash_blocks(memoryview(b"a")) != hash_blocks(memoryview(b"b"))
