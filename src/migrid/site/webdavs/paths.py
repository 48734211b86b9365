"""Paths as clients write them, and as WsgiDAV gets them.

Between us and WsgiDAV a path has one form: the names from the home down, each with all but unreserved characters
percent-encoded (RFC 3986, section 2.3), without a slash at the end. So whatever a name holds, it passes through the URL
functions of WsgiDAV unharmed, and every place has one text by which its locks and properties are found.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes, urlsplit

from ..homes import FileError, Kind
from ..homes.paths import Names, parse

_CODED_URL_OR_LIST = re.compile(r"<([^>]*)>|\([^)]*\)")


def requested(path_info: str) -> Names:
    """The names of the path of a request, whose bytes WSGI shows as Latin-1 (PEP 3333). Raises FileError."""
    return parse(os.fsdecode(path_info.encode("latin-1")))


def path_of(names: Names) -> str:
    """The path in the one form; '/' is the home."""
    return "/" + "/".join(quote_from_bytes(os.fsencode(name), safe="") for name in names)


def names_of(path: str) -> Names:
    """The names of a path in the one form."""
    return tuple(os.fsdecode(unquote_to_bytes(name)) for name in path.split("/") if name)


def is_sayable(name: str) -> bool:
    """Whether a listing can show the name: an address in XML is UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in name)


def of_url(url: str) -> str:
    """The path, in the one form, of an address or of its path part. Raises FileError."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = ""
    if not path.startswith("/"):
        raise FileError(Kind.NOT_ALLOWED, (url,), "is not the address of a file or folder")
    quoted = path.removeprefix("/").removesuffix("/")
    names = quoted.split("/") if quoted else []
    return path_of(parse([os.fsdecode(unquote_to_bytes(name.encode("latin-1"))) for name in names]))


def destination(url: str) -> str:
    """The header Destination for WsgiDAV, which takes the percent signs away before it looks for a query."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return origin + quote(of_url(url))


def conditions(header: str) -> str:
    """The header If (RFC 4918, section 10.4) with the addresses of tagged lists as paths in the one form."""
    return _CODED_URL_OR_LIST.sub(_with_path, header)


def _with_path(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    try:
        return f"<{of_url(match[1])}>"
    except FileError:
        return match[0]
