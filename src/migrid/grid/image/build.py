"""Builds images on the host of a grid, without a registry and without building the same twice."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from ..docker.cli import WORK, DockerCli
from ..docker.inspect import keeps_layers
from ..errors import EngineError
from . import archive, debian, layers, recipe
from .archive import Image
from .layers import Layer
from .recipe import Recipe

_GZIP = b"\x1f\x8b"
_MAKER = "mig_image_in_the_making"


def is_built(cli: DockerCli, wanted: Recipe, name: str) -> bool:
    """Whether the image is here, on the base of this release."""
    found = cli.inspect("image", [name])
    return bool(found) and (found[0]["Config"].get("Labels") or {}).get(recipe.LABEL) == wanted.base


def build(cli: DockerCli, wanted: Recipe, name: str, mirror: str = "") -> bool:
    """Build the image unless it is here; whether it was built. Raises EngineError."""
    if is_built(cli, wanted, name):
        return False
    if not cli.inspect("image", [wanted.base]):
        _build_base(cli, wanted, debian.mirrors_of_this_host(mirror))
    _add_code(cli, wanted, name)
    return True


def remove_old(cli: DockerCli, wanted: Recipe, name: str) -> list[str]:
    """Remove the images of other releases that no container needs any more; their names."""
    rows = cli.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    ours = tuple(f"{image.partition(':')[0]}:" for image in (name, wanted.base, recipe.shared_base()))
    old = [row for row in rows if row.startswith(ours) and row not in (name, wanted.base, recipe.shared_base())]
    return [image for image in old if cli.try_("image", "rm", image).status == 0]


def _build_base(cli: DockerCli, wanted: Recipe, mirrors: debian.Mirrors) -> None:
    with tempfile.TemporaryDirectory(prefix="migrid-image-") as name:
        directory = Path(name)
        below = _shared_base(cli, directory, mirrors)
        whole, added = directory / "whole.tar", directory / "packages.tar"
        debian.add_packages(wanted, below, whole, mirrors)
        layers.write_difference(below, whole, added)
        _load(cli, Image(wanted.base, [layers.layer(below), layers.layer(added)]), directory)


def _shared_base(cli: DockerCli, directory: Path, mirrors: debian.Mirrors) -> Path:
    """The file of the base that all images share: that of this engine's, if it has it."""
    name = recipe.shared_base()
    if cli.inspect("image", [name]):
        [below] = _saved_layers(cli, name, directory)
    else:
        below = directory / "base.tar"
        debian.make_base(below, mirrors)
        _load(cli, Image(name, [layers.layer(below)]), directory)
    return below


def _saved_layers(cli: DockerCli, name: str, directory: Path) -> list[Path]:
    """The layers of an image that the engine has, in files, from below."""
    saved = directory / "saved.tar"
    with cli.reading("save", name) as stream, saved.open("wb") as file:
        shutil.copyfileobj(stream, file)
    with tarfile.open(saved) as archive:
        names = json.loads(_member(archive, "manifest.json").read())[0]["Layers"]
        found = [directory / f"layer-{number}.tar" for number in range(len(names))]
        for name, path in zip(names, found, strict=True):
            with path.open("wb") as file:
                shutil.copyfileobj(_plain(_member(archive, name)), file)
    saved.unlink()
    return found


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise EngineError(f"`docker save` wrote an archive in which {name} is no file.")
    return found


def _plain(stream: IO[bytes]) -> IO[bytes]:
    """What a file holds, compressed or not: containerd's image store compresses layers."""
    compressed = stream.read(len(_GZIP)) == _GZIP
    stream.seek(0)
    return gzip.GzipFile(fileobj=stream) if compressed else stream  # type: ignore[return-value]


def _add_code(cli: DockerCli, wanted: Recipe, name: str) -> None:
    """Put this package on the base, compiled, as a layer of its own."""
    with tempfile.TemporaryDirectory(prefix="migrid-image-") as directory:
        code = Path(directory, "code.tar")
        _compile(cli, wanted, code)
        below = _layers_below(cli, wanted, Path(directory))
        image = Image(name, [*below, layers.layer(code)], wanted.command, wanted.base, wanted.user)
        _load(cli, image, Path(directory))


def _layers_below(cli: DockerCli, wanted: Recipe, directory: Path) -> list[Layer]:
    """The layers of the base of an image, with their files for an engine that must be given them again."""
    if keeps_layers(cli.json("info", "--format", "{{json .}}")):
        return [Layer(digest) for digest in cli.inspect("image", [wanted.base])[0]["RootFS"]["Layers"]]
    return [layers.layer(path) for path in _saved_layers(cli, wanted.base, directory)]


def _compile(cli: DockerCli, wanted: Recipe, code: Path) -> None:
    """Write the layer of this package, compiled by the image's own Python."""
    sources = code.with_name("sources.tar")
    layers.write_sources(sources)
    cli.try_("rm", "--force", _MAKER)
    cli.run("create", "--name", _MAKER, "--network", "none", "--pull", "never", wanted.base, *debian.compiling())
    try:
        with sources.open("rb") as stream:
            cli.feed(stream, "cp", "-", f"{_MAKER}:/")
        cli.run("start", "--attach", _MAKER, timeout=WORK)
        with cli.reading("cp", f"{_MAKER}:{recipe.CODE}", "-") as stream:
            layers.write_code(stream, Path(recipe.CODE).name, code)
    finally:
        cli.try_("rm", "--force", _MAKER)


def _load(cli: DockerCli, image: Image, directory: Path) -> None:
    with tempfile.TemporaryFile(dir=directory) as stream:
        archive.write(image, stream)
        stream.seek(0)
        cli.feed(stream, "load", "--quiet")
