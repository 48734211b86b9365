"""Layers of images: archives of what one adds to those below it.

Their format is that of the OCI image specification 1.1, "Image Layer Filesystem Changeset". The same content makes the
same bytes, wherever and whenever a layer is made.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from . import recipe

_PACKAGE = Path(__file__).parents[2]
_NOT_NEEDED = ("__pycache__", "site", "provision")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """What a layer is known by, the SHA-256 of its archive, and the archive's file, compressed or not. The file of one
    that an engine has is not needed."""

    digest: str
    path: Path | None = None


@dataclass(frozen=True)
class _Content:
    """What an entry of an archive is, to see whether it is another one."""

    is_directory: bool
    told: tuple[object, ...]


def layer(path: Path) -> Layer:
    """The layer that this file, not compressed, is."""
    with path.open("rb") as stream:
        return Layer(f"sha256:{_digest(stream).hex()}", path)


def compressed(whole: Layer) -> Layer:
    """The same layer in a compressed file beside its own."""
    assert whole.path is not None  # noqa: S101
    target = whole.path.with_suffix(".tar.gz")
    with (
        whole.path.open("rb") as source,
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream,
    ):
        shutil.copyfileobj(source, stream, _CHUNK)
    return replace(whole, path=target)


def write_anew(source: Path, target: Path) -> None:
    """Write the base of all layers from an archive, whichever version of tar and mmdebstrap wrote that."""
    with tarfile.open(source) as whole, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry in _entries(whole):
            archive.addfile(entry, whole.extractfile(entry) if entry.isreg() else None)


def write_difference(below: Path, whole: Path, target: Path) -> None:
    """Write what an archive has besides the one below it, without this package: what is new or changed, for what is
    gone the mark that it is, and the directories of all these, which an engine makes anew for each layer."""
    known = dict(_contents(below))
    contents = dict(_contents(whole))
    wanted = {path for path, content in contents.items() if known.get(path) != content and not _is_code(path)}
    marks = sorted(_gone(known, contents))
    with tarfile.open(whole) as source, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        entries = list(_entries(source))
        # A hard link needs its file in the same layer.
        wanted |= {PurePosixPath(entry.linkname) for entry in entries if entry.islnk() and _path(entry) in wanted}
        wanted |= {parent for path in (*wanted, *marks) for parent in path.parents}
        for entry in entries:
            if _path(entry) in wanted:
                archive.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
        for path in marks:
            archive.addfile(fixed(tarfile.TarInfo(str(path))))


def write_sources(target: Path) -> None:
    """Write this package as it is put into an image, not compiled yet."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT, dereference=True) as archive:
        archive.add(_PACKAGE, arcname=f"{recipe.CODE[1:]}/{_PACKAGE.name}", filter=_needed)


def write_code(source: IO[bytes], root: str, target: Path) -> None:
    """Write the compiled package, which an archive has below `root`, as a layer with fixed owner, modes and times."""
    found: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for entry in archive:
            path = PurePosixPath(entry.name)
            if path.is_relative_to(root) and (entry.isdir() or entry.isreg()):
                file = archive.extractfile(entry) if entry.isreg() else None
                entry.name = str(PurePosixPath(recipe.CODE[1:], path.relative_to(root)))
                found[entry.name] = fixed(entry), file.read() if file else b""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(_directory(recipe.CODE[1:].partition("/")[0]))
        for name in sorted(found):
            entry, content = found[name]
            archive.addfile(entry, io.BytesIO(content))


def fixed(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry of root's that everybody may read, without anything that differs from one build to the next."""
    kept = tarfile.TarInfo(entry.name)
    kept.type, kept.size, kept.mtime = entry.type, entry.size, recipe.EPOCH
    kept.mode = 0o755 if entry.isdir() else 0o644
    kept.uname = kept.gname = "root"
    return kept


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if PurePosixPath(entry.name).name in _NOT_NEEDED else fixed(entry)


def _directory(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return fixed(entry)


def _entries(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Those of an image: devices are the engine's, and only root could unpack them."""
    for entry in archive:
        if not _path(entry).parent.is_relative_to("dev"):
            yield entry


def _contents(archive: Path) -> Iterator[tuple[PurePosixPath, _Content]]:
    """The path of each entry of an archive, with all that it is. A hard link is as the file that it links to."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive, "r|") as whole:
        for entry in _entries(whole):
            file = whole.extractfile(entry) if entry.isreg() else None
            if file:
                files[entry.name] = _digest(file)
            content = files.get(entry.linkname if entry.islnk() else entry.name)
            told = *_metadata(entry), *sorted(entry.pax_headers.items()), content
            yield _path(entry), _Content(entry.isdir(), told)


def _metadata(entry: tarfile.TarInfo) -> tuple[object, ...]:
    device = entry.devmajor, entry.devminor
    return entry.type, entry.linkname, entry.uid, entry.gid, entry.mode, entry.mtime, device


def _path(entry: tarfile.TarInfo) -> PurePosixPath:
    return PurePosixPath(entry.name)


def _gone(known: Iterable[PurePosixPath], contents: Mapping[PurePosixPath, _Content]) -> Iterator[PurePosixPath]:
    """The marks of what is gone. That of a directory, or what is in its place now, stands for all in it."""
    directories = {path for path, content in contents.items() if content.is_directory} | {PurePosixPath()}
    for path in known:
        if path not in contents and path.parent in directories:
            yield path.with_name(f".wh.{path.name}")


def _is_code(path: PurePosixPath) -> bool:
    return ("/" / path).is_relative_to(recipe.CODE)


def _digest(stream: IO[bytes]) -> bytes:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()
