"""A file as the answer to a GET or HEAD of HTTP, whole or a part (RFC 9110, sections 13 and 14).

What users wrote is data, whatever its name says: a browser is told to show none of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from email.utils import formatdate, parsedate_to_datetime
from io import BufferedReader
from typing import Any, NamedTuple
from urllib.parse import quote

from .homes import printable

CONTENT_TYPE = "application/octet-stream"
KEPT_APART = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of a user's file: in a browser that shows it all the same it may do nothing."""

_PIECE = 1 << 20

_BYTES = re.compile(r"bytes[ \t]*=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Answer(NamedTuple):
    """What is sent. `pieces` holds the file, and closes it."""

    status: str
    headers: list[tuple[str, str]]
    pieces: Iterator[bytes]


class UnsatisfiableError(ValueError):
    """The file has no byte of what is asked for."""


def answer(environ: Mapping[str, Any], file: BufferedReader, name: str) -> Answer:
    """The answer to a request for an open file: 200, or 206, 304 and 416 when the request says so.

    A browser saves it under the name.
    """
    found = os.fstat(file.fileno())
    tag = etag_of(found.st_size, found.st_mtime)
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("Content-Disposition", attachment(name)),
        ("Last-Modified", formatdate(found.st_mtime, usegmt=True)),
        ("ETag", f'"{tag}"'),
        ("Accept-Ranges", "bytes"),
    ]
    if _is_known(environ, tag, found):
        return _without_content("304 Not Modified", [("ETag", f'"{tag}"')], file)
    try:
        wanted = _wanted(environ, tag, found)
    except UnsatisfiableError:
        headers.append(("Content-Range", f"bytes */{found.st_size}"))
        return _without_content("416 Range Not Satisfiable", headers, file)
    status, sent = "200 OK", range(found.st_size)
    if wanted is not None:
        status, sent = "206 Partial Content", wanted
        headers.append(("Content-Range", f"bytes {wanted.start}-{wanted.stop - 1}/{found.st_size}"))
    headers.append(("Content-Length", str(len(sent))))
    return Answer(status, headers, _Content(file, sent))


def attachment(name: str) -> str:
    """The Content-Disposition of what is saved under a name and not shown (RFC 6266, RFC 8187)."""
    return f"attachment; filename*=UTF-8''{quote(printable(name))}"


def etag_of(size: int, modified: float) -> str:
    """The entity tag, without quotes, of a file of this size and time."""
    return f"{size:x}-{int(modified * 1_000_000):x}"


def part(header: str, size: int) -> range | None:
    """The bytes that are asked for, at least one; None for the whole file, which is also the answer to several ranges
    and to what is no range. Raises UnsatisfiableError."""
    match = _BYTES.fullmatch(header)
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        found = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        found = range(int(first), min(size, int(last) + 1) if last else size)
    if not found:
        raise UnsatisfiableError
    return found


def _without_content(status: str, headers: list[tuple[str, str]], file: BufferedReader) -> Answer:
    file.close()
    return Answer(status, headers, iter(()))


def _is_known(environ: Mapping[str, Any], tag: str, found: os.stat_result) -> bool:
    """Whether the client has the file as it is (RFC 9110, sections 13.1.2 and 13.1.3)."""
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is not None:
        return known.strip() == "*" or f'"{tag}"' in known
    since = _seconds(environ.get("HTTP_IF_MODIFIED_SINCE", ""))
    return since is not None and int(found.st_mtime) <= since


def _wanted(environ: Mapping[str, Any], tag: str, found: os.stat_result) -> range | None:
    condition = environ.get("HTTP_IF_RANGE")
    is_as_expected = condition in (None, f'"{tag}"') or _seconds(condition) == int(found.st_mtime)
    return part(environ["HTTP_RANGE"], found.st_size) if "HTTP_RANGE" in environ and is_as_expected else None


def _seconds(date: str) -> float | None:
    """An HTTP date as seconds since 1970; None when it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


class _Content(Iterator[bytes]):
    """A part of a file, piece by piece."""

    def __init__(self, file: BufferedReader, wanted: range) -> None:
        self._file = file
        self._file.seek(wanted.start)
        self._rest = len(wanted)

    def __next__(self) -> bytes:
        piece = self._file.read(min(self._rest, _PIECE))
        if not piece:
            self.close()
            raise StopIteration
        self._rest -= len(piece)
        return piece

    def close(self) -> None:
        """What a server calls in the end (PEP 3333)."""
        self._file.close()
