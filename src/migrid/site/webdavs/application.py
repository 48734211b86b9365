"""The service as a WSGI application."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any

from wsgidav.dav_error import HTTP_NOT_MODIFIED, DAVError, get_http_status_string

from ..configuration import Configuration, load
from ..errors import MigError
from ..homes import FileError, Homes
from ..serving import KEPT_APART
from . import paths
from .login import Door, StrangerError
from .methods import Environ, Headers, Methods, StartResponse
from .resources import STATUS, HomeProvider
from .store import FullError, Store

MOST_XML_BYTES = 1 << 20
GUARD = [("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", KEPT_APART)]

_CONFIGURATION = {
    "add_header_MS_Author_Via": True,
    "hotfixes": {"emulate_win32_lastmod": True},
    "mutable_live_props": ["{DAV:}getlastmodified"],
}
"""Of WsgiDAV. Of the four properties that Windows gives each file only the time is kept, as that of the file."""


def create_app() -> Application:
    """The application of the site that the host's MiGserver.conf describes. Raises ConfigurationError."""
    return Application(load())


class Application:
    """WebDAV for the users of a site, in as many threads and processes as there are."""

    def __init__(self, site: Configuration) -> None:
        self._site = site
        self._door = Door(site)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Headers) -> Any:
            return start_response(status, headers + GUARD)

        try:
            return self._answer(environ, start)
        except StrangerError as error:
            return _said(start, f"{error.status} {error.status.phrase}", error.message, list(error.headers))
        except DAVError as error:
            return _dav_error(start, error)
        except FileError as error:
            return _said(start, _status(STATUS[error.kind]), str(error))
        except FullError as error:
            return _said(start, _status(507), str(error))
        except MigError as error:
            print(f"grid_webdavs: {error}", file=environ["wsgi.errors"])
            return _said(start, _status(503), "The service has a problem. Try again later.")

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        user = self._door.admit(environ)
        if environ["REQUEST_METHOD"] != "PUT":
            _take_in(environ)
        _translate(environ)
        with (
            Homes(self._site.user_home) as homes,
            homes.open(user.client_dir) as home,
            Store(self._site.davs_store, user.client_id) as store,
        ):
            provider = HomeProvider(home, store)
            environ |= {
                "wsgidav.app": _Router(provider),
                "wsgidav.auth.user_name": user.client_id,
                "wsgidav.config": _CONFIGURATION,
                "wsgidav.provider": provider,
                "wsgidav.verbose": 0,
            }
            return _begun(Methods(provider)(environ, start_response))


class _Router:
    """What WsgiDAV asks for the provider of a destination."""

    def __init__(self, provider: HomeProvider) -> None:
        self._provider = provider

    def resolve_provider(self, path: str) -> tuple[str, HomeProvider]:
        return "/", self._provider


def _take_in(environ: Environ) -> None:
    """Read the XML of a request, which WsgiDAV wants with its length. Raises DAVError when it is too long."""
    length, is_chunked = environ.get("CONTENT_LENGTH"), "HTTP_TRANSFER_ENCODING" in environ
    if length and int(length) > MOST_XML_BYTES:
        raise DAVError(413, f"At most {MOST_XML_BYTES} bytes of XML are read.")
    body = environ["wsgi.input"].read(int(length) if length else MOST_XML_BYTES + 1) if length or is_chunked else b""
    if len(body) > MOST_XML_BYTES:
        raise DAVError(413, f"At most {MOST_XML_BYTES} bytes of XML are read.")
    environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


def _translate(environ: Environ) -> None:
    """Put the paths of a request into the form that WsgiDAV gets. Raises FileError for what is no path in a home."""
    environ["PATH_INFO"] = paths.path_of(paths.requested(environ["PATH_INFO"]))
    if "HTTP_DESTINATION" in environ:
        environ["migrid.destination"] = paths.of_url(environ["HTTP_DESTINATION"])
        environ["HTTP_DESTINATION"] = paths.destination(environ["HTTP_DESTINATION"])
    if "HTTP_IF" in environ:
        environ["HTTP_IF"] = paths.conditions(environ["HTTP_IF"])


def _begun(answer: Iterator[bytes]) -> Iterable[bytes]:
    """The answer after its first piece: by then all is done, but the sending of a file, which is open."""
    first = next(answer, b"")
    return chain((first,), answer)


def _dav_error(start_response: StartResponse, error: DAVError) -> Iterable[bytes]:
    headers = error.add_headers or []
    if error.value == HTTP_NOT_MODIFIED:
        start_response(get_http_status_string(error), headers)
        return []
    if not error.err_condition:
        return _said(start_response, get_http_status_string(error), error.context_info or "", headers)
    kind, body = error.get_response_page()
    start_response(
        get_http_status_string(error), [("Content-Type", kind), ("Content-Length", str(len(body))), *headers]
    )
    return [body]


def _said(start_response: StartResponse, status: str, message: str, headers: Headers | None = None) -> Iterable[bytes]:
    body = f"{message or status}\n".encode("utf-8", "backslashreplace")
    about = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, about + (headers or []))
    return [body]


def _status(code: int) -> str:
    return f"{code} {HTTPStatus(code).phrase}"
