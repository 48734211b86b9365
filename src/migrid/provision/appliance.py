"""Releases of the MIG assembly: its images as files, what is in each, and their checksums.

    python -m migrid.provision.appliance VERSION DIRECTORY [--mirror URL]

No engine is needed. The same packages and the same checkout make the same files, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..grid.errors import GridError
from ..grid.image import archive, debian, layers, recipe
from ..grid.image.archive import Image
from ..grid.image.layers import Layer
from ..grid.image.recipe import Recipe
from ..grid.image.released import CHECKSUMS, file_digest
from . import spdx


@dataclass(frozen=True)
class Workshop:
    """What the images of one release are made of: the directory for it, the base in a file, and the mirrors."""

    directory: Path
    version: str
    base: Path
    shared: Layer
    mirrors: debian.Mirrors


def build(version: str, directory: Path, mirrors: debian.Mirrors) -> bool:
    """Build a release into a directory, in place of what was there; whether it is another one. Raises EngineError, and
    then nothing has changed."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".appliance-", dir=directory.parent) as name:
        work, made = Path(name, "work"), Path(name, "made")
        work.mkdir()
        made.mkdir()
        base = work / "base.tar"
        debian.make_base(base, mirrors)
        workshop = Workshop(work, version, base, layers.compressed(layers.layer(base)), mirrors)
        for wanted in recipe.RECIPES:
            _build_image(workshop, wanted, made)
        _write_checksums(made)
        changed = not _same(made, directory)
        if changed:
            shutil.rmtree(directory, ignore_errors=True)
            made.rename(directory)
            directory.chmod(0o755)
    return changed


def _build_image(workshop: Workshop, wanted: Recipe, made: Path) -> None:
    work = workshop.directory / wanted.name
    work.mkdir()
    whole, packages, code = (work / name for name in ("whole.tar", "packages.tar", "code.tar"))
    records, sources = work / "records", work / "sources.tar"
    layers.write_sources(sources)
    hooks = [*debian.keep_records(records), *debian.add_code(sources)]
    debian.add_packages(wanted, workshop.base, whole, workshop.mirrors, *hooks)
    layers.write_difference(workshop.base, whole, packages)
    with whole.open("rb") as stream:
        layers.write_code(stream, recipe.CODE[1:], code)
    own = [layers.compressed(layers.layer(path)) for path in (packages, code)]
    name = f"{wanted.repository}:{workshop.version}"
    target = made / f"{wanted.name}-{workshop.version}.tar"
    with target.open("wb") as file:
        archive.write(Image(name, [workshop.shared, *own], wanted.command, wanted.base, wanted.user), file)
    release = spdx.Release(wanted.title, workshop.version, target.name, file_digest(target))
    found = spdx.packages(records.read_text(encoding="utf-8"), spdx.copyrights(whole))
    target.with_suffix(".spdx.json").write_text(spdx.document(release, found), encoding="utf-8")
    shutil.rmtree(work)


def _write_checksums(directory: Path) -> None:
    """As sha256sum writes them."""
    lines = [f"{file_digest(path)}  {path.name}\n" for path in _files(directory)]
    (directory / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _same(made: Path, directory: Path) -> bool:
    """Whether the directory holds this release already, complete."""
    return directory.is_dir() and _digests(_files(made)) == _digests(_files(directory))


def _digests(files: Iterable[Path]) -> dict[str, str]:
    return {path.name: file_digest(path) for path in files}


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file())


def main() -> int:
    """Build a release; print one line of JSON."""
    parser = argparse.ArgumentParser(prog="migrid.provision.appliance", description=__doc__)
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path)
    parser.add_argument("--mirror", default="", help="a Debian mirror, instead of the one that this host uses")
    args = parser.parse_args()
    try:
        changed = build(args.version, args.directory, debian.mirrors_of_this_host(args.mirror))
    except GridError as error:
        print(f"migrid.provision.appliance: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"files": [str(path) for path in _files(args.directory)], "changed": changed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
