"""Files and folders of one home as WsgiDAV sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from io import BufferedReader
from typing import Any
from xml.etree.ElementTree import register_namespace

from wsgidav.dav_error import HTTP_FORBIDDEN, DAVError
from wsgidav.dav_provider import DAVCollection, DAVNonCollection, DAVProvider

from ..homes import Entry, EntryKind, FileError, Home, Kind, Space
from ..serving import CONTENT_TYPE, etag_of
from .locks import Locks
from .paths import is_sayable, names_of, path_of
from .properties import Properties
from .store import Store

STATUS = {
    Kind.NOT_FOUND: 404,
    Kind.EXISTS: 405,
    Kind.NOT_ALLOWED: 403,
    Kind.NOT_A_FILE: 405,
    Kind.NOT_A_DIRECTORY: 409,
    Kind.NOT_EMPTY: 409,
    Kind.NO_SPACE: 507,
    Kind.NAME_TOO_LONG: 414,
    Kind.DAMAGED: 500,
}
register_namespace("D", "DAV:")  # the prefix that all examples have; some clients know no other

_USABLE = (EntryKind.FILE, EntryKind.DIRECTORY)
_NOT_THERE = (Kind.NOT_FOUND, Kind.NOT_A_DIRECTORY)
_ETAG = "{DAV:}getetag"
_QUOTA = ("{DAV:}quota-available-bytes", "{DAV:}quota-used-bytes")


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what goes wrong with files into what WsgiDAV answers."""
    try:
        yield
    except FileError as error:
        raise DAVError(STATUS[error.kind], str(error)) from error


class HomeProvider(DAVProvider):  # type: ignore[misc]
    """One home, with its locks and properties, for one request."""

    def __init__(self, home: Home, store: Store) -> None:
        super().__init__()
        self.home = home
        self.set_share_path("/")
        self.set_lock_manager(Locks(store))
        self.set_prop_manager(Properties(store))

    def get_resource_inst(self, path: str | None, environ: dict[str, Any]) -> HomeFile | HomeFolder | None:
        """What is at a path; None where nothing is, and above the home. Raises DAVError for what is neither file nor
        folder."""
        if path is None:
            return None
        try:
            entry = self.home.stat(names_of(path))
        except FileError as error:
            if error.kind in _NOT_THERE:
                return None
            raise DAVError(STATUS[error.kind], str(error)) from error
        if entry.kind not in _USABLE:
            raise DAVError(HTTP_FORBIDDEN, "It is neither a file nor a folder.")
        return resource_of(path, environ, entry)

    def ref_url_to_path(self, ref_url: str) -> str:
        return ref_url


class HomeResource:
    """What files and folders have in common."""

    path: str
    provider: HomeProvider
    environ: dict[str, Any]
    is_collection: bool
    entry: Entry

    @property
    def names(self) -> tuple[str, ...]:
        return names_of(self.path)

    def get_ref_url(self) -> str:
        """The path by which locks and properties are found."""
        return "/" + self.path.strip("/")

    def get_href(self) -> str:
        path = self.get_ref_url()
        return path + "/" if self.is_collection and path != "/" else path

    def get_display_name(self) -> None:
        """None: clients show the last name of the path."""

    def get_last_modified(self) -> float:
        return self.entry.modified

    def set_last_modified(self, dest_path: str, time_stamp: str, *, dry_run: bool) -> bool:
        try:
            seconds = parsedate_to_datetime(time_stamp).timestamp()
        except (ValueError, TypeError, OverflowError):
            raise DAVError(HTTP_FORBIDDEN, "It is not a time such as 'Sun, 06 Nov 1994 08:49:37 GMT'.") from None
        if not dry_run:
            with refusals():
                self.provider.home.set_modified(self.names, seconds)
        return True

    def handle_delete(self) -> bool:
        self._check_locks("infinity")
        with refusals():
            self.provider.home.remove(self.names)
        self._forget(self.get_ref_url())
        return True

    def handle_move(self, dest_path: str) -> bool:
        home, target = self.provider.home, names_of(dest_path)
        with refusals(), home.making_room(target):
            home.move(self.names, target)
        self._forget(path_of(target))
        self.provider.prop_manager.copy_properties(self.get_ref_url(), path_of(target))
        self._forget(self.get_ref_url())
        return True

    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> bool:
        home, target = self.provider.home, names_of(dest_path)
        with refusals(), home.making_room(target):
            if self.is_collection and not depth_infinity:
                home.make_directory(target)
            else:
                home.copy(self.names, target)
        self.provider.prop_manager.remove_properties(path_of(target))
        self.provider.prop_manager.copy_properties(self.get_ref_url(), path_of(target))
        return True

    def _check_locks(self, depth: str) -> None:
        self.provider.lock_manager.check_write_permission(
            url=self.get_ref_url(), depth=depth, token_list=self.environ["wsgidav.ifLockTokenList"], principal=""
        )

    def _forget(self, path: str) -> None:
        self.provider.lock_manager.remove_all_locks_from_url(path, recursive=True)
        self.provider.prop_manager.remove_properties(path)


class HomeFile(HomeResource, DAVNonCollection):  # type: ignore[misc]
    """A file."""

    def __init__(self, path: str, environ: dict[str, Any], entry: Entry) -> None:
        super().__init__(path, environ)
        self.entry = entry

    def get_content_length(self) -> int:
        return self.entry.size

    def get_content_type(self) -> str:
        return CONTENT_TYPE

    def get_etag(self) -> str:
        return etag_of(self.entry.size, self.entry.modified)

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content(self) -> BufferedReader:
        with refusals():
            return self.provider.home.open(self.names)

    def get_property_value(self, name: str) -> Any:
        """As WsgiDAV, but with the quotes that the RFC wants around an entity tag."""
        return f'"{self.get_etag()}"' if name == _ETAG else super().get_property_value(name)


class HomeFolder(HomeResource, DAVCollection):  # type: ignore[misc]
    """A folder."""

    def __init__(self, path: str, environ: dict[str, Any], entry: Entry) -> None:
        super().__init__(path, environ)
        self.entry = entry

    def get_member_names(self) -> list[str]:
        return [member.name for member in self.get_member_list()]

    def get_member_list(self) -> list[HomeFile | HomeFolder]:
        """What a client can use: files and folders whose name an address can hold."""
        with refusals():
            entries = self.provider.home.listing(self.names).values()
        shown = (entry for entry in entries if entry.kind in _USABLE and is_sayable(entry.name))
        return [resource_of(path_of((*self.names, entry.name)), self.environ, entry) for entry in shown]

    def create_collection(self, name: str) -> None:
        with refusals():
            self.provider.home.make_directory((*self.names, *names_of(name)))

    def create_empty_resource(self, name: str) -> HomeFile | HomeFolder | None:
        self._check_locks("0")
        names = (*self.names, *names_of(name))
        with refusals(), self.provider.home.create(names):
            pass
        return self.provider.get_resource_inst(path_of(names), self.environ)

    @cached_property
    def space(self) -> Space:
        """Asked once, so that what one answer says of it adds up."""
        with refusals():
            return self.provider.home.space()

    def get_available_bytes(self) -> int:
        return self.space.free

    def get_used_bytes(self) -> int:
        return self.space.total - self.space.free

    def get_property_names(self, *, is_allprop: bool) -> list[str]:
        """As WsgiDAV, but quotas only for who asks for them (RFC 4331, section 2)."""
        return [name for name in super().get_property_names(is_allprop=is_allprop) if name not in _QUOTA]

    def get_property_value(self, name: str) -> Any:
        value = super().get_property_value(name)
        return str(value) if isinstance(value, int) else value


def resource_of(path: str, environ: dict[str, Any], entry: Entry) -> HomeFile | HomeFolder:
    """The file or folder that the entry is of."""
    kind = HomeFolder if entry.kind is EntryKind.DIRECTORY else HomeFile
    return kind(path, environ, entry)
