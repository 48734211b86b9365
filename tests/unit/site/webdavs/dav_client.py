"""A WebDAV client that asks the application as Apache does."""

from __future__ import annotations

import base64
import io
import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

from defusedxml import ElementTree
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from migrid.site.webdavs.application import Application

HOST = "https://io.grid.example.org:4443"
DN = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN={0} Example/emailAddress={0}@example.org"
PASSWORD = "Sample-Pass-01"
LOCK = (
    b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:%b/></D:lockscope><D:locktype><D:write/></D:locktype>'
    b"<D:owner>Ada</D:owner></D:lockinfo>"
)
UPDATE = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>'
NAMED = '<D:propfind xmlns:D="DAV:"><D:prop>{}</D:prop></D:propfind>'


def url(path: str | bytes) -> str:
    return quote_from_bytes(path.encode() if isinstance(path, str) else path)


def basic(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Headers
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()


@dataclass
class DavClient:
    """Somebody with a login and a password; paths are as on the disk."""

    application: Application
    login: str = "ada@example.org"
    password: str = PASSWORD
    address: str = "192.0.2.1"

    def ask(self, method: str, path: str | bytes, data: bytes | str = b"", **headers: Any) -> Answer:
        """`Depth="1"` is a header; `_` stands for `-`, and CONTENT_LENGTH may lie."""
        body = data.encode() if isinstance(data, str) else data
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": (path.encode() if isinstance(path, str) else path).decode("latin-1"),
            "QUERY_STRING": "",
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": self.address,
            "HTTP_HOST": HOST.removeprefix("https://"),
            "HTTP_AUTHORIZATION": basic(self.login, self.password),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        }
        environ |= {
            name if name == "CONTENT_LENGTH" else f"HTTP_{name.upper()}": value for name, value in headers.items()
        }
        pieces, status, found = run_wsgi_app(self.application, environ, buffered=True)
        return Answer(int(status[:3]), found, b"".join(pieces))

    def status(self, method: str, path: str | bytes, data: bytes | str = b"", **headers: Any) -> int:
        return self.ask(method, path, data, **headers).status

    def get(self, path: str | bytes, **headers: Any) -> bytes:
        answer = self.ask("GET", path, **headers)
        assert answer.status == 200, answer.text
        return answer.data

    def to(self, method: str, path: str, target: str | bytes, **headers: Any) -> int:
        return self.status(method, path, Destination=HOST + url(target), **headers)

    def names(self, path: str | bytes = "/", **headers: Any) -> set[str]:
        """The addresses that a listing shows, without the folder's own."""
        answer = self.ask("PROPFIND", path, Depth="1", **headers)
        assert answer.status == 207, answer.text
        shown = {href.text or "" for href in ElementTree.fromstring(answer.data).iter("{DAV:}href")}
        return shown - {url(path).rstrip("/") + "/"}

    def property(self, path: str, name: str, given: str | None = None) -> str | None:
        """The text of a property; None when there is none. `given` is its XML where it is no property of DAV:."""
        answer = self.ask("PROPFIND", path, NAMED.format(given or f"<D:{name}/>"), Depth="0")
        response = ElementTree.fromstring(answer.data)
        for found in response.iter("{DAV:}propstat"):
            if "200" in found.findtext("{DAV:}status", ""):
                return found.find("{DAV:}prop")[0].text or ""
        return None

    def properties(self, path: str, *names: str) -> list[str]:
        """The texts of properties of DAV:, asked for at once; those that there are."""
        answer = self.ask("PROPFIND", path, NAMED.format("".join(f"<D:{name}/>" for name in names)), Depth="0")
        found = ElementTree.fromstring(answer.data)
        return [text for name in names for text in [found.findtext(f".//{{DAV:}}{name}")] if text]

    def lock(self, path: str, scope: bytes = b"exclusive", **headers: Any) -> str:
        """Lock a path: the token."""
        answer = self.ask("LOCK", path, LOCK % scope, **headers)
        assert answer.status in (200, 201), answer.text
        return answer.headers["Lock-Token"]
