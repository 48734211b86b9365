"""A folder as a ZIP archive that is made while it is sent (APPNOTE.TXT 6.3, with data descriptors)."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator

from ..homes import EntryKind, FileError, Home
from .names import Names

PIECE = 1 << 20
FIRST_YEAR = 1980


def archive(files: Home, top: Names) -> Iterator[bytes]:
    """The archive of a folder, piece by piece. Links that lead out and special files are left out."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as zipped:
        for names in _below(files, top):
            yield from _member(zipped, sink, files, names, names[len(top) - 1 :] if top else names)
    yield sink.taken()


def _below(files: Home, names: Names) -> Iterator[Names]:
    pending = [names]
    while pending:
        folder = pending.pop()
        for entry in sorted(files.listing(folder).values(), key=lambda entry: entry.name):
            if entry.kind is EntryKind.DIRECTORY:
                pending.append((*folder, entry.name))
            elif entry.kind is EntryKind.FILE:
                yield (*folder, entry.name)


def _member(zipped: zipfile.ZipFile, sink: _Sink, files: Home, names: Names, shown: Names) -> Iterator[bytes]:
    try:
        source = files.open(names)
    except FileError:
        return
    with source:
        moment = time.gmtime(files.stat(names).modified)
        name = "/".join(shown).encode("utf-8", "backslashreplace").decode()
        info = zipfile.ZipInfo(name, max(moment[:6], (FIRST_YEAR, 1, 1, 0, 0, 0)))
        with zipped.open(info, "w", force_zip64=True) as member:
            while piece := source.read(PIECE):
                member.write(piece)
                yield sink.taken()


class _Sink(io.RawIOBase):
    """Keeps what was written until it is taken; nothing can be changed later, as on a network."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        found, self._pieces = b"".join(self._pieces), []
        return found
