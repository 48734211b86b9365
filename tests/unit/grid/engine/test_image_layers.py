"""Layers and image files that are made without an engine. GNU tar and the file system say what a layer must do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from migrid.grid.image import archive, layers
from migrid.grid.image.archive import Image
from migrid.grid.image.layers import Layer

Change = Callable[[Path], None]
_LISTED = "%y %m %u %g %T@ %l %n %p\\n"
_TIME = 1_600_000_000
_PAX = ("--format=pax", "--pax-option=delete=[ac]time")


def _packed(tree: Path, target: Path, *format_options: str) -> Path:
    """An archive of a tree, as mmdebstrap makes it."""
    options = ["--sort=name", "--numeric-owner", f"--mtime=@{_TIME}", *(format_options or _PAX)]
    subprocess.run(["tar", "--create", *options, "--file", target, "--directory", tree, "."], check=True)
    return target


def _unpacked(tree: Path, *archives: Path) -> Path:
    """What an engine makes of layers: each over those below it, with the marks of removal carried out."""
    tree.mkdir()
    for path in archives:
        with tarfile.open(path) as layer:
            marks = [tree / name for name in layer.getnames() if Path(name).name.startswith(".wh.")]
            files = [tree / entry.name for entry in layer.getmembers() if not entry.isdir()]
        marked = [mark.with_name(mark.name.removeprefix(".wh.")) for mark in marks]
        for target in [*marked, *(path for path in files if path.is_dir() and not path.is_symlink())]:
            subprocess.run(["rm", "-r", target], check=True)
        extract = ["tar", "--extract", "--overwrite", "--numeric-owner", "--exclude=.wh.*", "--directory", tree]
        subprocess.run([*extract, "--file", path], check=True)
    return tree


def _listed(tree: Path) -> list[str]:
    """Everything below a directory, with contents."""
    found = subprocess.run(["find", ".", "-printf", _LISTED], cwd=tree, capture_output=True, text=True, check=True)
    contents = [f"{path.relative_to(tree)}: {path.read_bytes()!r}" for path in tree.rglob("*") if path.is_file()]
    return sorted([*found.stdout.splitlines(), *contents])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A small tree with all kinds of entries."""
    tree = tmp_path / "tree"
    (tree / "etc/apt").mkdir(parents=True)
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "etc/passwd").write_text("root")
    (tree / "etc/apt/sources").write_text("one")
    (tree / "usr/bin/perl").write_text("perl")
    (tree / "usr/bin/perl5").hardlink_to(tree / "usr/bin/perl")
    (tree / "bin").symlink_to("usr/bin")
    return tree


def _add(tree: Path) -> None:
    (tree / "srv/new").mkdir(parents=True)
    (tree / "srv/new/file").write_text("new")


def _change(tree: Path) -> None:
    (tree / "etc/passwd").write_text("root and nginx")


def _change_mode(tree: Path) -> None:
    (tree / "etc/passwd").chmod(0o600)


def _remove(tree: Path) -> None:
    (tree / "etc/apt/sources").unlink()
    (tree / "etc/apt").rmdir()
    (tree / "bin").unlink()


def _link(tree: Path) -> None:
    (tree / "usr/bin/perl5.40").hardlink_to(tree / "usr/bin/perl")


def _change_linked(tree: Path) -> None:
    (tree / "usr/bin/perl").write_text("a newer perl")


def _file_for_directory(tree: Path) -> None:
    _remove(tree)
    (tree / "etc/apt").write_text("a file")


CHANGES = [_add, _change, _change_mode, _remove, _link, _change_linked, _file_for_directory]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__[1:])
def test_a_difference_makes_the_whole_of_what_is_below(change: Change, base: Path, tmp_path: Path) -> None:
    below = _packed(base, tmp_path / "below.tar")
    change(base)
    whole = _packed(base, tmp_path / "whole.tar")
    layers.write_difference(below, whole, tmp_path / "layer.tar")
    made = _unpacked(tmp_path / "made", below, tmp_path / "layer.tar")
    assert _listed(made) == _listed(_unpacked(tmp_path / "expected", whole))


def test_a_difference_has_nothing_that_is_the_same_but_directories(base: Path, tmp_path: Path) -> None:
    below = _packed(base, tmp_path / "below.tar")
    (base / "etc/apt/sources").write_text("other")
    whole = _packed(base, tmp_path / "whole.tar")
    layers.write_difference(below, whole, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert archive.getnames() == [".", "./etc", "./etc/apt", "./etc/apt/sources"]


def test_the_format_of_an_archive_makes_no_other_layer(base: Path, tmp_path: Path) -> None:
    for name, options in {"pax": _PAX, "gnu": ["--format=gnu"], "ustar": ["--format=ustar"]}.items():
        layers.write_anew(_packed(base, tmp_path / "source.tar", *options), tmp_path / name)
    assert (tmp_path / "pax").read_bytes() == (tmp_path / "gnu").read_bytes() == (tmp_path / "ustar").read_bytes()
    made = _unpacked(tmp_path / "made", tmp_path / "pax")
    assert _listed(made) == _listed(_unpacked(tmp_path / "expected", tmp_path / "source.tar"))


def test_no_layer_has_devices(base: Path, tmp_path: Path) -> None:
    below = _packed(base, tmp_path / "below.tar")
    (base / "dev").mkdir()
    (base / "dev/null").write_text("")
    whole = _packed(base, tmp_path / "whole.tar")
    layers.write_anew(whole, tmp_path / "base.tar")
    layers.write_difference(below, whole, tmp_path / "layer.tar")
    for path in (tmp_path / "base.tar", tmp_path / "layer.tar"):
        with tarfile.open(path) as archive:
            assert not [name for name in archive.getnames() if name.startswith("./dev/")]


def test_a_difference_has_no_code(base: Path, tmp_path: Path) -> None:
    below = _packed(base, tmp_path / "below.tar")
    (base / "opt/migrid/migrid").mkdir(parents=True)
    whole = _packed(base, tmp_path / "whole.tar")
    layers.write_difference(below, whole, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert archive.getnames() == [".", "./opt"]


def _image(directory: Path) -> bytes:
    """The file of an image with a layer that the engine has and two that are in it."""
    directory.mkdir()
    paths = [directory / name for name in ("one.tar", "two.tar")]
    for path in paths:
        path.write_text(path.name)
    one, two = map(layers.layer, paths)
    image = Image("migrid/mig:1", [Layer(f"sha256:{'0' * 64}"), one, layers.compressed(two)], ("run", "it"), "recipe")
    with (directory / "image.tar").open("wb") as file:
        archive.write(image, file)
    return (directory / "image.tar").read_bytes()


def test_the_same_layers_make_the_same_file(tmp_path: Path) -> None:
    assert _image(tmp_path / "here") == _image(tmp_path / "there")


def test_an_image_file_says_what_an_engine_needs(tmp_path: Path) -> None:
    _image(tmp_path / "here")
    there = _unpacked(tmp_path / "there", tmp_path / "here/image.tar")
    [manifest] = json.loads((there / "manifest.json").read_text())
    assert manifest["RepoTags"] == ["migrid/mig:1"]
    configuration = json.loads((there / manifest["Config"]).read_text())
    assert manifest["Config"] == f"{hashlib.sha256((there / manifest['Config']).read_bytes()).hexdigest()}.json"
    assert configuration["created"] == "2023-11-14T22:13:20Z"
    run = {"Env": ["PYTHONPATH=/opt/migrid"], "Cmd": ["run", "it"], "Labels": {"migrid.recipe": "recipe"}}
    assert configuration["config"] == run
    digests = [f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in ("one.tar", "two.tar")]
    assert configuration["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{'0' * 64}", *digests]}


def test_an_image_file_holds_its_layers_and_no_others(tmp_path: Path) -> None:
    _image(tmp_path / "here")
    there = _unpacked(tmp_path / "there", tmp_path / "here/image.tar")
    [manifest] = json.loads((there / "manifest.json").read_text())
    known, plain, packed = (there / name for name in manifest["Layers"])
    assert not known.exists()
    assert plain.read_text() == "one.tar"
    assert subprocess.run(["gzip", "-dc", packed], capture_output=True, check=True).stdout == b"two.tar"
