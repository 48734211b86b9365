"""The properties that clients give to files and folders (RFC 4918, section 4), as WsgiDAV asks for them.

Paths are in the one form of `paths`, names are in Clark notation, values are XML.
"""

from __future__ import annotations

from http import HTTPStatus

from wsgidav.dav_error import DAVError

from .store import BELOW, FullError, Store

_WRITE = "INSERT OR REPLACE INTO properties VALUES (?, ?, ?)"
_ELSEWHERE = f"SELECT :target || substr(path, length(:path) + 1), name, value FROM properties WHERE {BELOW}"  # noqa: S608  (constants)
_REMOVE = f"DELETE FROM properties WHERE {BELOW}"  # noqa: S608  (constants)


class Properties:
    """The properties in a store. `environ` is there because WsgiDAV gives it. Methods raise StoreError and DAVError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_properties(self, url: str, environ: object = None) -> list[str]:
        """The names of what there is."""
        return [name for (name,) in self._store.rows("SELECT name FROM properties WHERE path = ?", (_key(url),))]

    def get_property(self, url: str, name: str, environ: object = None) -> bytes | None:
        query = "SELECT value FROM properties WHERE path = ? AND name = ?"
        return next((value for (value,) in self._store.rows(query, (_key(url), name))), None)

    def write_property(self, url: str, name: str, value: bytes, dry_run: bool = False, environ: object = None) -> None:
        if not dry_run:
            try:
                with self._store.transaction() as connection:
                    connection.execute(_WRITE, (_key(url), name, value))
            except FullError as error:
                raise DAVError(HTTPStatus.INSUFFICIENT_STORAGE, str(error)) from error

    def remove_property(self, url: str, name: str, dry_run: bool = False, environ: object = None) -> None:
        if not dry_run:
            self._store.change("DELETE FROM properties WHERE path = ? AND name = ?", (_key(url), name))

    def remove_properties(self, url: str, environ: object = None) -> None:
        """Forget all of a file, or of a folder with all that is in it."""
        self._store.change(_REMOVE, {"path": _key(url)})

    def copy_properties(self, url: str, target: str, environ: object = None) -> None:
        """Give what is below another path, which has none, the same."""
        self._store.change(
            f"INSERT OR REPLACE INTO properties {_ELSEWHERE}", {"path": _key(url), "target": _key(target)}
        )


def _key(url: str) -> str:
    return url.rstrip("/")
