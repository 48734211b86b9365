"""Files of known visitors, sent without the framework, whose work for one answer takes longer than a small file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from werkzeug import Request

from ... import web
from ..errors import MigError
from .context import Portal
from .transfer import answer_with_file
from .visitor import COOKIE

HEADERS = list(web.HEADERS.items())


class Shortcut:
    """A WSGI application before the portal, for one page of it. What it cannot answer well is left to the portal."""

    def __init__(self, portal: Portal, application: web.Application, page: str) -> None:
        self._portal = portal
        self._application = application
        self._page = page

    def __call__(self, environ: web.Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == self._page and environ["REQUEST_METHOD"] == "GET":
            with suppress(MigError):
                asked = Request(environ)
                visitor = self._portal.known(environ, asked.cookies.get(COOKIE, ""))
                if visitor:
                    with self._portal.home_of(visitor) as home:
                        answer = answer_with_file(home, asked)
                    start_response(answer.status, answer.headers + HEADERS)
                    return answer.pieces
        return self._application(environ, start_response)
