"""The side that gets the files, and leads: a session as moves see it."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import CopyError, GridError, UnreachableError
from . import messages
from .client import Progress, Round, Survey, Verification
from .entry import Entry, line, manifest_digest, shown
from .messages import Kind
from .state import Held, State
from .trees import Trees
from .verification import Inspection
from .wire import Wire
from .writer import Writer

_PROGRESS_SECONDS = 0.25
_NAMES_SHOWN = 5
_ERROR_BYTES = 4000


class Receiver:
    """A session. One thread works with it; `close` may be called from any."""

    def __init__(self, trees: Trees, wire: Wire, state: State) -> None:
        self._trees, self._wire, self._state = trees, wire, state
        self._held: dict[bytes, Held] = {}
        self._is_open = self._is_closed = False
        self._lock = threading.RLock()

    def survey(self) -> Survey:
        with self._working():
            self._wire.send(Kind.SURVEY)
            return Survey(*messages.SURVEYED.unpack(self._expect(Kind.SURVEYED)))

    def round(self, final: bool, bandwidth_limit: int | None, progress: Callable[[Progress], None]) -> Round:
        with self._working():
            started, received = time.monotonic(), self._wire.received
            self._wire.send(Kind.ROUND, messages.ROUND.pack(final, bandwidth_limit or 0))
            writer = Writer(self._trees, self._held, self._state.tear)
            try:
                manifest, examined, changed, entries = self._take(writer, Paced(progress))
                writer.finish()
                self._keep(writer)
                if not final:
                    self._state.tidy(self._held)
            except (UnreachableError, _SenderError):
                if not self._wire.is_cancelled:
                    writer.suspend()
                    self._keep(writer)
                raise
            finally:
                writer.abandon()
            seconds = time.monotonic() - started
            return Round(final, entries, self._wire.received - received, changed, examined, seconds, manifest)

    def _keep(self, writer: Writer) -> None:
        """Remember durably what a round has changed."""
        if writer.changed:
            self._trees.synchronize()
            self._state.add(self._held, writer.altered)

    def verify(self, progress: Callable[[Progress], None]) -> Verification:
        with self._working():
            started, paced = time.monotonic(), Paced(progress)
            inspection = Inspection(self._trees, self._held)
            inspection.run(lambda done, total: paced(Progress(done, total, len(inspection.entries))))
            wrong = self._compare(inspection.entries)
        if wrong:
            names = ", ".join(shown(path) for path in wrong[:_NAMES_SHOWN])
            raise CopyError(f"{len(wrong)} entries at the target are not what was sent, among them: {names}")
        digest = manifest_digest(line(entry) for entry in inspection.entries.values())
        seconds = time.monotonic() - started
        return Verification(digest, len(inspection.entries), inspection.bytes_read, seconds)

    def close(self) -> None:
        self._wire.cancel()
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._wire.close()
                self._trees.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        """What every request needs: a session that is open, and an end to it when it breaks."""
        with self._lock:
            if self._is_closed:
                raise CopyError("This session has ended; a new one goes on from what arrived.")
            try:
                if not self._is_open:
                    self._open()
                yield
            except GridError:
                self.close()
                raise
            except (OSError, ValueError, OverflowError, struct.error) as error:
                self.close()
                raise CopyError(_explained(error)) from error

    def _open(self) -> None:
        self._wire.send(Kind.HELLO, messages.hello(self._trees.names))
        answer = bytes(self._expect(Kind.HELLO)).split(b"\0")
        if answer[:2] != [messages.MAGIC, b"%d" % messages.VERSION]:
            raise CopyError("The other grid speaks another version of the copy protocol: install the same release.")
        if tuple(answer[2:]) != self._trees.names:
            here, there = (", ".join(map(shown, names)) for names in (self._trees.names, answer[2:]))
            raise CopyError(f"The trees here ({here}) are not those of the other grid ({there}).")
        self._held = self._recall()
        for held in self._held.values():
            self._tell(held.entry)
        self._is_open = True

    def _recall(self) -> dict[bytes, Held]:
        """What the trees hold: as remembered where that can be believed, else as read from them."""
        remembered = self._state.load() or {}
        inspection = Inspection(self._trees, remembered)
        inspection.run(_untold)
        return {path: self._believed(remembered.get(path), entry) for path, entry in inspection.entries.items()}

    @staticmethod
    def _believed(held: Held | None, found: Entry) -> Held:
        """What is remembered of an entry, if it was found like that; else what was found, which is to be examined."""
        if held is None or not (found is held.entry or (held.is_here(found.stat) and line(held.entry) == line(found))):
            return _as_found(found)
        held.touched, held.dirty = False, {}
        return held

    def _compare(self, entries: dict[bytes, Entry]) -> list[bytes]:
        """Compare what was found with what was sent; what differs will be sent again. Returns its paths."""
        missing = self._held.keys() - entries.keys()
        for path in missing:
            del self._held[path]
            self._wire.send(Kind.FORGET, path)
        other = [path for path, found in entries.items() if not self._is_held(path, found)]
        for path in other:
            self._held[path] = _as_found(entries[path])
            self._tell(entries[path])
        if missing or other:
            self._state.save(self._held)
        return sorted([*missing, *other])

    def _is_held(self, path: bytes, found: Entry) -> bool:
        held = self._held.get(path)
        if held is None or not (found is held.entry or line(held.entry) == line(found)):
            return False
        held.touched, held.dirty = False, {}
        return True

    def _tell(self, entry: Entry) -> None:
        """Let the sender know what is here."""
        for kind, parts in messages.encode_known(entry):
            self._wire.send(kind, *parts)

    def _take(self, writer: Writer, progress: Callable[[Progress], None]) -> tuple[str, int, int, int]:
        """Write what comes until the round is done; returns manifest, bytes examined, bytes of content, entries."""
        total, entries = messages.BEGIN.unpack(self._expect(Kind.BEGIN))[0], 0
        progress(Progress(0, total, 0))
        while True:
            kind, data = self._next()
            if kind == Kind.DATA:
                writer.data(messages.decode_data(data))
            elif kind == Kind.SEND:
                writer.send(*messages.decode_send(data))
                entries += 1
            elif kind == Kind.END:
                size, settled, digest = messages.END.unpack(data)
                writer.end(size, bool(settled), digest)
            elif kind == Kind.HOLE:
                writer.hole(*messages.HOLE.unpack(data))
            elif kind == Kind.ALIVE:
                examined, files = messages.ALIVE.unpack(data)
                progress(Progress(examined, max(total, examined), files))
            elif kind == Kind.STAGE:
                writer.stage(bytes(data))
            elif kind == Kind.REMOVE:
                writer.remove(bytes(data))
            elif kind == Kind.DONE:
                manifest, examined, changed = messages.DONE.unpack(data)
                return manifest.decode("ascii"), examined, changed, entries
            else:
                raise CopyError(f"The other grid sent what does not belong into a round: {kind}.")

    def _next(self) -> tuple[int, memoryview]:
        kind, data = self._wire.receive()
        if kind == Kind.ERROR:
            raise _SenderError(shown(bytes(data[:_ERROR_BYTES])))
        return kind, data

    def _expect(self, wanted: Kind) -> memoryview:
        kind, data = self._next()
        if kind != wanted:
            raise CopyError(f"The other grid answered {kind} where {int(wanted)} is due: is it a sender of volumes?")
        return data


class _SenderError(CopyError):
    """The sender said why it cannot go on."""


class Paced:
    """Calls for progress, not more often than anybody can see."""

    def __init__(self, progress: Callable[[Progress], None]) -> None:
        self._progress, self._due = progress, 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _PROGRESS_SECONDS
            self._progress(progress)


def _as_found(entry: Entry) -> Held:
    """An entry of which the trees tell, and nobody knows what it was at the source."""
    here = entry.stat.ino, entry.stat.ctime
    entry.stat = entry.stat._replace(dev=0, ino=0)
    entry.settled = False
    return Held(entry, here, touched=False)


def _untold(done: int, total: int) -> None:
    """Nobody asked for progress."""


def _explained(error: Exception) -> str:
    if isinstance(error, OSError):
        name = f": {shown(os.fsencode(error.filename))}" if isinstance(error.filename, (str, bytes)) else ""
        return f"The target could not be written: {error.strerror}{name}"
    return f"What the other grid sent cannot be: {error}"
