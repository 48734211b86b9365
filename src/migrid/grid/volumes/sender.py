"""The side that has the files. It answers what the receiver asks, and remembers between rounds what it has sent."""

from __future__ import annotations

import os
import stat as modes
import struct
import time

from ..errors import CopyError, GridError, UnreachableError
from . import attributes, messages
from .blocks import CHUNK, Map, content_digest, forget_beyond, length_of_blocks, remember
from .entry import Entry, Stat, decode, line, manifest_digest, shown
from .examine import Examiner, Piece, Reading
from .look import Look, Looking
from .messages import Kind
from .plan import Base, Change, Index, Moment, plan_round
from .trees import MAXIMUM_PATH, IgnoreVanished, chunk_length
from .wire import MAXIMUM, Wire

_RECENT_SECONDS = 600
_ALIVE_SECONDS = 0.2
_ERROR_LETTERS = 2000
_MAXIMUM_ATTRIBUTES = MAXIMUM - 4 * MAXIMUM_PATH


def serve(looking: Looking, wire: Wire) -> None:
    """Answer a receiver until it closes the channel."""
    with Examiner() as examiner:
        try:
            Sender(looking, wire, examiner).serve()
        except UnreachableError:
            return
        except (GridError, OSError, ValueError, struct.error) as error:
            wire.send(Kind.ERROR, str(error).encode()[:_ERROR_LETTERS])
            wire.flush()


class Sender:
    """One session of the side that has the files."""

    def __init__(self, looking: Looking, wire: Wire, examiner: Examiner) -> None:
        self._looking, self._wire, self._examiner = looking, wire, examiner
        self._index: Index = {}
        self._last = b""

    def serve(self) -> None:
        """Answer until the channel ends. Raises UnreachableError then."""
        answers = {
            Kind.HELLO: self._hello,
            Kind.SURVEY: self._survey,
            Kind.ENTRY: self._learn,
            Kind.CHUNKS: self._learn_chunks,
            Kind.FORGET: self._forget,
            Kind.ROUND: self._round,
        }
        while True:
            kind, data = self._wire.receive()
            if kind not in answers:
                raise CopyError(f"The receiver asked for what this release does not know: {kind}.")
            answers[Kind(kind)](data)

    def _hello(self, data: memoryview) -> None:
        magic, _, version = bytes(data).partition(b"\0")
        version = version.partition(b"\0")[0]
        if magic != messages.MAGIC or version != b"%d" % messages.VERSION:
            raise CopyError(
                f"The receiver speaks another version of the copy protocol ({shown(version)}, here {messages.VERSION}):"
                " install the same release of migrid on both grids."
            )
        self._wire.send(Kind.HELLO, messages.hello(self._looking.names))

    def _survey(self, _: memoryview) -> None:
        found = self._looking.survey()
        recent = time.time() - _RECENT_SECONDS
        files = {(stat.st_dev, stat.st_ino): stat for stat in found.values() if modes.S_ISREG(stat.st_mode)}
        sizes = [(stat.st_blocks * 512, max(stat.st_mtime, stat.st_ctime) > recent) for stat in files.values()]
        recent_bytes = sum(size for size, is_recent in sizes if is_recent)
        total = messages.SURVEYED.pack(len(found), sum(size for size, _ in sizes), recent_bytes)
        self._wire.send(Kind.SURVEYED, total)

    def _learn(self, data: memoryview) -> None:
        entry = decode(bytes(data))
        self._last = entry.path
        self._index[entry.path] = entry

    def _learn_chunks(self, data: memoryview) -> None:
        if self._last not in self._index:
            raise ValueError("the receiver sent the map of no file")
        messages.decode_chunks(data, self._index[self._last].content)

    def _forget(self, data: memoryview) -> None:
        self._index.pop(bytes(data), None)

    def _round(self, data: memoryview) -> None:
        final, rate = messages.ROUND.unpack(data)
        self._wire.limit(rate)
        started = time.time_ns()
        look = self._looking.look()
        if not final:
            look.trees.synchronize()
        moment = Moment(started, bool(final), look.trees.telling)
        _Round(look, moment, self._index, self._wire, self._examiner).run()
        self._wire.flush()
        self._looking.looked()


class _Round:
    """One round."""

    def __init__(self, look: Look, moment: Moment, index: Index, wire: Wire, examiner: Examiner) -> None:
        self._look, self._moment, self._index, self._wire, self._examiner = look, moment, index, wire, examiner
        self._trees = look.trees
        self._examined = self._sent = self._entries = 0
        self._alive_at = 0.0
        self._restless: list[bytes] = []

    def run(self) -> None:
        plan = plan_round(self._index, self._look)
        found = self._look.found
        sizes = (found[change.path].st_blocks * 512 for change in plan.changes if change.has_content)
        self._wire.send(Kind.BEGIN, messages.BEGIN.pack(sum(sizes)))
        staged = self._stage(plan.staged)
        for path in plan.removed:
            self._remove(path)
        for change in plan.changes:
            self._send(change, staged)
        self._finish()

    def _stage(self, paths: tuple[bytes, ...]) -> list[Map]:
        """Have files put aside; returns what is known of their content, which goes where the files go."""
        contents = []
        for path in paths:
            self._wire.send(Kind.STAGE, path)
            contents.append(self._index[path].content)
        return contents

    def _remove(self, path: bytes) -> None:
        """Have an entry removed, and forget it with what was in it."""
        gone = self._index.pop(path, None)
        if gone is None:
            return
        self._wire.send(Kind.REMOVE, path)
        if gone.stat.is_directory:
            for inner in [inner for inner in self._index if inner.startswith(path + b"/")]:
                del self._index[inner]

    def _send(self, change: Change, staged: list[Map]) -> None:
        """Send an entry; one that has vanished is removed instead, with further names of the same file."""
        if not self._sent_found(change, staged):
            self._restless.append(change.path)
            self._remove(change.path)
        self._alive()

    def _sent_found(self, change: Change, staged: list[Map]) -> bool:
        if change.leader != change.path and change.leader not in self._index:
            return False
        with IgnoreVanished():
            if not change.has_content:
                self._send_entry(change, None, None)
                return True
            descriptor = self._trees.open_file(change.path, change.stat)
            if descriptor is not None:
                try:
                    self._send_entry(change, descriptor, self._known(change, staged))
                    return True
                finally:
                    os.close(descriptor)
        return False

    def _send_entry(self, change: Change, descriptor: int | None, known: Map | None) -> None:
        path = change.path
        entry = Entry(path, change.stat, change.leader, settled=self._moment.settles(change.stat))
        if entry.leads and entry.stat.is_link:
            entry.target = self._trees.read_link(path)
        encoded = self._attributes(path, descriptor)
        entry.attributes = attributes.digest(encoded)
        self._wire.send(Kind.SEND, messages.encode_send(change.base, change.staged, encoded, entry))
        if descriptor is not None:
            self._send_content(entry, Reading(descriptor, os.fstat(descriptor).st_size, known, change.only))
        self._index[path] = entry
        self._entries += 1

    def _attributes(self, path: bytes, descriptor: int | None) -> bytes:
        encoded = attributes.encode(attributes.read(self._trees.proc_path(path) if descriptor is None else descriptor))
        if len(encoded) > _MAXIMUM_ATTRIBUTES:
            raise CopyError(f"{shown(path)} has more than {_MAXIMUM_ATTRIBUTES} bytes of extended attributes.")
        return encoded

    def _known(self, change: Change, staged: list[Map]) -> Map | None:
        """What the receiver has of the content, None when it begins with nothing."""
        if change.base is Base.SAME:
            return self._index[change.path].content
        return staged[change.staged] if change.base is Base.STAGED else None

    def _send_content(self, entry: Entry, reading: Reading) -> None:
        before, seen, size = self._trees.stat(os.fstat(reading.descriptor)), set(), reading.size
        for piece in self._examiner.pieces(reading):
            seen.add(piece.number)
            self._send_piece(piece)
            remember(entry.content, piece.number, piece.hashes, piece.length)
            if piece.length < chunk_length(piece.number, size):
                size = piece.number * CHUNK + piece.length
        for number, hashes in (reading.known or {}).items():
            if reading.only is not None and number not in reading.only:
                entry.content[number] = hashes
            elif number not in seen and number * CHUNK < size:
                self._wire.send(Kind.HOLE, messages.HOLE.pack(number))
        forget_beyond(entry.content, size)
        self._notice_restless(entry, before, self._trees.stat(os.fstat(reading.descriptor)))
        entry.stat = entry.stat._replace(size=size)
        self._wire.send(Kind.END, messages.END.pack(size, entry.settled, content_digest(entry.content)))

    def _notice_restless(self, entry: Entry, before: Stat, after: Stat) -> None:
        if entry.stat != before or entry.stat != after:
            entry.settled = False
            self._restless.append(entry.path)

    def _send_piece(self, piece: Piece) -> None:
        difference = piece.difference
        if difference.differs:
            head = messages.encode_data(piece.number, piece.length, difference[1:], piece.hashes)
            self._wire.send(Kind.DATA, *head, *piece.parts)
            self._sent += length_of_blocks(difference.literal, piece.length)
        piece.release()
        self._examined += piece.examined
        self._alive()

    def _alive(self) -> None:
        """Say now and then how far the round is."""
        now = time.monotonic()
        if now > self._alive_at:
            self._alive_at = now + _ALIVE_SECONDS
            self._wire.send(Kind.ALIVE, messages.ALIVE.pack(self._examined, self._entries))
            self._wire.flush()

    def _finish(self) -> None:
        if self._moment.final and self._restless:
            names = ", ".join(shown(path) for path in self._restless[:5])
            raise CopyError(
                f"Something still writes to the source although the application has stopped: {names} changed while the"
                " last round read it. Stop whatever else uses these files, then move again."
            )
        lines = (line(self._index[path]) for path in sorted(self._index))
        self._wire.send(Kind.DONE, messages.DONE.pack(manifest_digest(lines).encode(), self._examined, self._sent))
