"""The methods of WebDAV: GET, HEAD and PUT are ours, because they move the data; WsgiDAV knows all others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import IO, Any

from wsgidav.dav_error import (
    HTTP_BAD_REQUEST,
    HTTP_CONFLICT,
    HTTP_CREATED,
    HTTP_FORBIDDEN,
    HTTP_PRECONDITION_FAILED,
    DAVError,
    get_http_status_string,
)
from wsgidav.request_server import RequestServer

from .. import serving
from ..homes import FileError, Kind
from ..homes.entries import entry_of
from .paths import names_of
from .resources import HomeFile, HomeFolder, HomeProvider, HomeResource

PIECE = 1 << 20
Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]


class Methods(RequestServer):  # type: ignore[misc]
    """One request to one home: a WSGI application whose errors are DAVError and MigError."""

    def __init__(self, provider: HomeProvider) -> None:
        super().__init__(provider)
        self.allow_propfind_infinite = False
        self._provider = provider

    def do_GET(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802
        """A file, or the part of it that is asked for."""
        answer = serving.answer(environ, self._opened(environ), _name(environ))
        start_response(answer.status, answer.headers)
        return answer.pieces

    def do_HEAD(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802
        """What GET would say about the file."""
        with self._opened(environ) as file:
            start_response("200 OK", serving.answer(environ, file, _name(environ)).headers)
        return []

    def do_PUT(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802
        """A file, which appears under its name when it is complete."""
        if "HTTP_CONTENT_RANGE" in environ or "HTTP_CONTENT_ENCODING" in environ:
            raise DAVError(HTTP_BAD_REQUEST, "Send the whole file, as it is: parts and encodings are not supported.")
        path = environ["PATH_INFO"]
        is_new = self._admit(environ)
        with _parent_conflicts(), self._provider.home.replace(names_of(path)) as file:
            _receive(environ, file)
            file.flush()
            status = os.fstat(file.fileno())
            is_new = self._admit(environ) and is_new
        if is_new:
            self._provider.prop_manager.remove_properties(path)
        headers = [("ETag", f'"{serving.etag_of(status.st_size, status.st_mtime)}"'), ("Content-Length", "0")]
        start_response("201 Created" if is_new else "204 No Content", headers)
        return []

    def do_MKCOL(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: N802
        """As WsgiDAV, without its page."""
        super().do_MKCOL(environ, lambda *_, **__: None)
        return _done(start_response, HTTP_CREATED)

    def _send_response(
        self, environ: Environ, start_response: StartResponse, root: HomeResource, code: int, errors: list[Any]
    ) -> Iterable[bytes]:
        """As WsgiDAV, without its pages."""
        if not errors:
            return _done(start_response, code)
        if len(errors) == 1 and errors[0][0] == root.get_href():
            raise errors[0][1]
        return super()._send_response(environ, start_response, root, code, errors)  # type: ignore[no-any-return]

    def _copy_or_move(self, environ: Environ, start_response: StartResponse, is_move: bool) -> Iterable[bytes]:
        """As WsgiDAV, which says 204 to all that a provider does itself; where nothing was, it is 201."""
        was_there = self._provider.exists(environ.get("migrid.destination", "/"), environ)

        def start(status: str, headers: Headers) -> None:
            start_response("201 Created" if status.startswith("204") and not was_there else status, headers)

        return super()._copy_or_move(environ, start, is_move)  # type: ignore[no-any-return]

    def _opened(self, environ: Environ) -> BufferedReader:
        """The file that is asked for, open. Raises DAVError when a condition of the request does not hold."""
        path = environ["PATH_INFO"]
        try:
            file = self._provider.home.open(names_of(path))
        except FileError as error:
            if error.kind is Kind.NOT_A_FILE:
                raise DAVError(HTTP_FORBIDDEN, "This is a folder. Open it with a WebDAV client.") from error
            raise
        try:
            found = HomeFile(path, environ, entry_of("", os.fstat(file.fileno())))
            self._evaluate_if_headers(found, environ)
        except DAVError as error:
            file.close()
            error.add_headers = [("ETag", f'"{found.get_etag()}"')]
            raise
        return file

    def _admit(self, environ: Environ) -> bool:
        """Whether the file that is to be written is new. Raises DAVError if it may not be written."""
        path = environ["PATH_INFO"]
        there = self._provider.get_resource_inst(path, environ)
        if isinstance(there, HomeFolder):
            raise DAVError(405, "This is a folder; a file cannot take its place.")
        self._evaluate_if_headers(there, environ)
        if there is None and "HTTP_IF_MATCH" in environ:
            raise DAVError(HTTP_PRECONDITION_FAILED, "There is no file yet.")
        locked = [path] if there else [path, path.rpartition("/")[0] or "/"]
        for place in locked:
            self._provider.lock_manager.check_write_permission(
                url=place, depth="0", token_list=environ["wsgidav.ifLockTokenList"], principal=""
            )
        return there is None


def _name(environ: Environ) -> str:
    return names_of(environ["PATH_INFO"])[-1]


@contextmanager
def _parent_conflicts() -> Iterator[None]:
    """Where the folder is missing, that is a conflict (RFC 4918, section 9.7.1)."""
    try:
        yield
    except FileError as error:
        if error.kind in (Kind.NOT_FOUND, Kind.NOT_A_DIRECTORY):
            raise DAVError(HTTP_CONFLICT, "There is no folder to put it in.") from error
        raise


def _done(start_response: StartResponse, code: int) -> Iterable[bytes]:
    start_response(get_http_status_string(code), [("Content-Length", "0")])
    return []


def _receive(environ: Environ, file: IO[bytes]) -> None:
    """Write what comes in. Raises DAVError when it ends before its end."""
    source, length = environ["wsgi.input"], environ.get("CONTENT_LENGTH") or None
    rest = int(length) if length is not None else None
    try:
        while rest != 0 and (piece := source.read(PIECE if rest is None else min(rest, PIECE))):
            file.write(piece)
            rest = rest and rest - len(piece)
    except FileError:
        raise
    except OSError as error:
        raise DAVError(HTTP_BAD_REQUEST, "The upload was interrupted.") from error
    if rest:
        raise DAVError(HTTP_BAD_REQUEST, "The upload was interrupted.")
