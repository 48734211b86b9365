"""Files in and out: uploads that appear when they are complete, downloads, and folders as one archive."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, cast
from urllib.parse import quote_from_bytes

from flask import Blueprint, Response, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.formparser import FormDataParser

from ..homes import Home, Upload
from .archive import archive
from .context import FORM_FIELD, FORM_HEADER, home, visitor
from .files import Done, back_to
from .names import Names, printable, split, untoken

routes = Blueprint("transfer", __name__)

PIECE = 1 << 20
FIELDS_BYTES = 1 << 20
KEPT_APART = "sandbox; default-src 'none'; frame-ancestors 'none'"
"""What a user's file may do in a browser that shows it all the same: nothing."""


@routes.get("/cat.py")
def download() -> ResponseReturnValue:
    """One file. Parts of it can be asked for (RFC 9110, section 14)."""
    names = split(untoken(request.args.get("path", "")))
    with home() as files:
        file = files.open(names)
    status = os.fstat(file.fileno())
    response = send_file(file, "application/octet-stream", conditional=False, etag=False, last_modified=status.st_mtime)
    response.content_length = status.st_size
    response.make_conditional(request.environ, accept_ranges=True, complete_length=status.st_size)
    return _attached(response, names[-1])


@routes.get("/zip.py")
def download_folder() -> ResponseReturnValue:
    """A folder with all that is below it."""
    names = split(untoken(request.args.get("path", "")))
    with ExitStack() as stack:
        files = stack.enter_context(home())
        files.listing(names)
        pieces = _closing(stack.pop_all(), archive(files, names))
    return _attached(Response(pieces, mimetype="application/zip"), f"{names[-1] if names else 'home'}.zip")


@routes.put("/upload.py")
def put() -> ResponseReturnValue:
    """One file as the body of a request, as the script of the file manager sends it."""
    if not visitor().sent(request.headers.get(FORM_HEADER, "")):
        raise Forbidden
    with home() as files, _new(files, split(untoken(request.args.get("path", "")))) as file:
        _copy(request.stream, file)
    return "", 201


@routes.post("/upload.py")
def upload() -> ResponseReturnValue:
    """Files of a form. Each is written where it belongs while it comes in, and appears when the form was right."""
    path = untoken(request.args.get("path", ""))
    with ExitStack() as stack:
        files = stack.enter_context(home())
        uploads = Uploads(files, split(path))
        stack.callback(uploads.discard)
        form = uploads.read()
        if not visitor().sent(form.get(FORM_FIELD, "")):
            raise Forbidden
        names = uploads.commit()
    return back_to(path, Done("uploaded", names))


class Uploads:
    """The files of one form, on their way into a folder."""

    def __init__(self, files: Home, folder: Names) -> None:
        self._files = files
        self._folder = folder
        self._open: list[tuple[str, Upload]] = []

    def read(self) -> dict[str, str]:
        """Take in the whole form; its other fields."""
        parser = FormDataParser(self._begin, max_form_memory_size=FIELDS_BYTES, silent=False)
        kind = request.mimetype, request.content_length, request.mimetype_params
        try:
            _, fields, _ = parser.parse(request.stream, *kind)
        except ValueError as error:
            raise BadRequest("the upload was interrupted") from error
        return fields.to_dict()

    def commit(self) -> list[str]:
        """Let the files appear; their names."""
        for _, upload in self._open:
            upload.commit()
        return [name for name, _ in self._open]

    def discard(self) -> None:
        """Leave nothing of what was not committed."""
        for _, upload in self._open:
            upload.discard()

    def _begin(self, *_: object, filename: str | None = None, **__: object) -> IO[bytes]:
        if not filename:
            return io.BytesIO()
        upload = _new(self._files, (*self._folder, filename))
        self._open.append((filename, upload))
        return cast(IO[bytes], upload.file)


def _new(files: Home, names: Names) -> Upload:
    if not names:
        raise BadRequest("the file has no name")
    return files.replace(names) if request.args.get("replace") else files.create(names)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(PIECE):
        target.write(piece)


def _attached(response: Response, name: str) -> Response:
    """What users wrote is never shown as a page of the site (RFC 6266, RFC 8187)."""
    encoded = quote_from_bytes(printable(name).encode())
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{encoded}"
    response.headers["Content-Security-Policy"] = KEPT_APART
    return response


def _closing(resources: ExitStack, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with resources:
        yield from pieces
