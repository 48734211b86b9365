"""What is in a project directory, and how a newer version gets there without touching data of the application."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import DefinitionError

FILE, LINK, DIRECTORY = "file", "link", "directory"


@dataclass(frozen=True)
class Entry:
    """One thing in a directory. `content` is the SHA-256 of a file and the target of a link."""

    kind: str
    mode: int
    content: str = ""


Contents = Mapping[str, Entry]
"""All entries of a directory, by their paths below it."""


@dataclass(frozen=True)
class Changes:
    """The paths that are put into a directory, parents first, and those that are taken out of it, children first."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.written or self.removed)


def read(directory: Path) -> dict[str, Entry]:
    """What is in a directory; nothing when it is not there. Raises DefinitionError for what is no file, link or
    directory."""
    return {str(path.relative_to(directory)): _entry(path) for path in _walk(directory)}


def look(directory: Path, paths: Collection[str]) -> dict[str, Entry]:
    """The entries of these paths, of those that are there; what else is in the directory may be large."""
    return {path: _entry(directory / path) for path in paths if os.path.lexists(directory / path)}


def plan(wanted: Contents, earlier: Contents, present: Contents, data: Collection[str]) -> Changes:
    """What makes `present` the directory that is `wanted`.

    `earlier` is what was wanted the last time: only what was put there is taken away again, and only if nobody changed
    it since. `data` are paths that the application may write to: they get their content once, and are its own then.
    `present` may leave out what is in none of these.
    """
    roots = _outermost(data)
    kept = {root for root in roots if root in present}
    written = [path for path in sorted(wanted) if present.get(path) != wanted[path] and not _below(path, kept)]
    gone = sorted(earlier.keys() - wanted.keys(), reverse=True)
    removed = [path for path in gone if present.get(path) == earlier[path] and not _below(path, roots)]
    return Changes(tuple(written), tuple(removed))


def carry_out(changes: Changes, source: Path, directory: Path) -> None:
    """Put the changes from `source` into `directory`, each file at once. Raises DefinitionError, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in changes.removed:
        _remove(directory / path)
    for path in changes.written:
        _refuse_a_way_out(directory, path)
        _put(source / path, directory / path)


def _walk(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _entry(path: Path) -> Entry:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Entry(LINK, 0o777, str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return Entry(DIRECTORY, mode)
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as stream:
            return Entry(FILE, mode, hashlib.file_digest(stream, "sha256").hexdigest())
    raise DefinitionError(f"{path} is no file, link or directory; an application's directory can hold only these.")


def _outermost(data: Collection[str]) -> set[str]:
    """The data paths that are in no other one. The directory itself is none: then its files are the program."""
    paths = {str(PurePosixPath(path)) for path in data} - {"."}
    return {path for path in paths if not _below(str(PurePosixPath(path).parent), paths)}


def _below(path: str, roots: Collection[str]) -> bool:
    pure = PurePosixPath(path)
    return any(str(candidate) in roots for candidate in (pure, *pure.parents))


def _refuse_a_way_out(directory: Path, path: str) -> None:
    parent = (directory / path).parent
    if parent.resolve() != directory.resolve() / Path(path).parent:
        raise DefinitionError(f"{parent} is a symbolic link now; remove it, so that {path} can be put there.")


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
    elif not any(path.iterdir()):
        path.rmdir()


def _put(source: Path, path: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        path.mkdir(exist_ok=True)
        _like(source, path)
        return
    if path.is_dir() and not path.is_symlink():
        raise DefinitionError(f"{path} is a directory, and is to become a file; move it away first.")
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    shutil.copyfile(source, new, follow_symlinks=False)
    _like(source, new)
    new.replace(path)


def _like(source: Path, path: Path) -> None:
    status = source.lstat()
    os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
    shutil.copystat(source, path, follow_symlinks=False)
