"""Released images on their way into the engine of a grid: nothing is loaded that is not what was released."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..docker.cli import DockerCli
from ..errors import GridError
from . import recipe

CHECKSUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Opened:
    """A file that is what was released. It stays open, so that nobody can put another one in its place."""

    image: str
    stream: BinaryIO


def load(cli: DockerCli, places: Sequence[Path]) -> Iterator[str]:
    """Load images from files, or all of a directory; the name of each. Raises GridError before anything is loaded when
    a file is not what the list of checksums beside it says, or is no image of the MIG assembly."""
    with ExitStack() as files:
        checked = [_checked(files.enter_context(_open(path)), path) for path in _archives(places)]
        for opened in checked:
            opened.stream.seek(0)
            cli.feed(opened.stream, "load", "--quiet")
            yield opened.image


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits. Raises OSError."""
    with path.open("rb") as stream:
        return _digest(stream)


def _archives(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if not place.is_dir():
            yield place
            continue
        found = sorted(place.glob("*.tar"))
        if not found:
            raise GridError(f"{place} has no image: no file there ends with .tar. playbooks/appliance.yml makes them.")
        yield from found


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise GridError(f"There is no file {path}.") from None


def _checked(stream: BinaryIO, path: Path) -> _Opened:
    expected = _checksums(path.parent / CHECKSUMS).get(path.name)
    if expected is None:
        raise GridError(f"{path.parent / CHECKSUMS} does not name {path.name}, so that it cannot be checked.")
    if _digest(stream) != expected:
        raise GridError(f"{path} is not what was released: its SHA-256 is not that in {CHECKSUMS}. Copy it again.")
    stream.seek(0)
    return _Opened(_image(stream, path), stream)


def _checksums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise GridError(f"There is no file {path}: copy it along, it has the checksums of the images.") from None
    except UnicodeDecodeError:
        raise GridError(f"{path} is no list of checksums: it is no text.") from None
    return dict(_line(path, number, line) for number, line in enumerate(lines, 1))


def _line(path: Path, number: int, line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if not match:
        raise GridError(f"{path}, line {number}: write 64 hexadecimal digits, two blanks and the name of a file.")
    return match[2], match[1]


def _image(stream: BinaryIO, path: Path) -> str:
    """The one name that an archive gives its image. Raises GridError."""
    try:
        with tarfile.open(fileobj=stream) as archive:
            manifest = archive.extractfile("manifest.json")
            [image] = json.load(manifest) if manifest else []
            [name] = image["RepoTags"]
    except (tarfile.TarError, KeyError, TypeError, ValueError):
        raise GridError(f"{path} is no archive of one image, as playbooks/appliance.yml writes them.") from None
    recipe.of(str(name))
    return str(name)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
