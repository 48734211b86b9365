"""Files in and out: uploads that appear when they are complete, downloads, and folders as one archive."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, cast

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from werkzeug import Request
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.formparser import FormDataParser

from ...web.forms import FORM_FIELD
from ..homes import Home, Upload
from ..serving import KEPT_APART, Answer, answer, attachment
from .archive import archive
from .context import FORM_HEADER, home, visitor
from .files import Done, back_to
from .names import Names, split, untoken

routes = Blueprint("transfer", __name__)

PIECE = 1 << 20
FIELDS_BYTES = 1 << 20


@routes.get("/cat.py")
def download() -> ResponseReturnValue:
    """One file. Parts of it can be asked for. Most requests get their answer before they come here: `shortcut`."""
    with home() as files:
        status, headers, pieces = answer_with_file(files, request)
    return Response(pieces, status, headers, direct_passthrough=True)


@routes.get("/zip.py")
def download_folder() -> ResponseReturnValue:
    """A folder with all that is below it."""
    names = split(untoken(request.args.get("path", "")))
    with ExitStack() as stack:
        files = stack.enter_context(home())
        files.listing(names)
        pieces = _closing(stack.pop_all(), archive(files, names))
    response = Response(pieces, mimetype="application/zip")
    response.headers["Content-Disposition"] = attachment(f"{names[-1] if names else 'home'}.zip")
    response.headers["Content-Security-Policy"] = KEPT_APART
    return response


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


def answer_with_file(files: Home, asked: Request) -> Answer:
    """The file that a request names. Raises FileError."""
    names = split(untoken(asked.args.get("path", "")))
    found = answer(asked.environ, files.open(names), names[-1])
    found.headers.append(("Content-Security-Policy", KEPT_APART))
    return found


def _new(files: Home, names: Names) -> Upload:
    if not names:
        raise BadRequest("the file has no name")
    return files.replace(names) if request.args.get("replace") else files.create(names)


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(PIECE):
        target.write(piece)


def _closing(resources: ExitStack, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with resources:
        yield from pieces
