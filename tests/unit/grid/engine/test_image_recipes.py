"""What is in the images of the MIG assembly. That they can be built and run is seen on real grids."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from migrid.grid.errors import InvalidNameError
from migrid.grid.image import debian, layers, recipe
from migrid.grid.image.recipe import MIGHELPER, RECIPES


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """This package as it is put into an image."""
    layers.write_sources(tmp_path / "sources.tar")
    return tmp_path / "sources.tar"


def test_the_mirrors_are_those_of_the_host() -> None:
    indexes = [
        "Debian|http://mirror.example.org/debian/",
        "Debian|http://other/",
        "Debian-Security|http://sec/d/",
        "x|y",
    ]
    assert debian.mirrors(indexes) == debian.Mirrors("http://mirror.example.org/debian", "http://sec/d")
    assert debian.mirrors([]) == debian.Mirrors()


def test_all_packages_come_from_the_mirrors_that_are_known() -> None:
    mine, security = "http://mirror.example.org/debian", "http://sec/d"
    both = (f"deb {mine} {recipe.SUITE} main", f"deb {mine} {recipe.SUITE}-updates main")
    fixes = f"{recipe.SUITE}-security main"
    assert debian.Mirrors(mine, security).sources() == (*both, f"deb {security} {fixes}")
    assert debian.Mirrors(mine).sources() == (*both, f"deb {mine}-security {fixes}")
    assert debian.Mirrors("", security).sources() == ()


def test_each_image_has_a_base_of_its_own() -> None:
    bases = {wanted.base for wanted in RECIPES} | {recipe.shared_base()}
    assert len(bases) == len(RECIPES) + 1
    assert MIGHELPER.base.startswith("migrid/mighelper-base:")


@pytest.mark.parametrize("wanted", RECIPES, ids=lambda wanted: wanted.name)
def test_an_image_is_known_by_its_name(wanted: recipe.Recipe) -> None:
    assert recipe.of(f"{wanted.repository}:1") is wanted


@pytest.mark.parametrize("name", ["debian:13", "migrid/migc:1", "migrid/mighelper-base:1", ""])
def test_other_images_are_none_of_the_assembly(name: str) -> None:
    with pytest.raises(InvalidNameError, match="migrid/migctl:VERSION"):
        recipe.of(name)


def test_the_images_have_the_grid_and_nothing_else_of_the_package(sources: Path) -> None:
    with tarfile.open(sources) as archive:
        entries = archive.getmembers()
    names = {entry.name for entry in entries}
    assert {"opt/migrid/migrid/__init__.py", "opt/migrid/migrid/grid/helper.py"} <= names
    assert not [name for name in names if "migrid/site" in name or "migrid/provision" in name or "__pycache__" in name]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, recipe.EPOCH)}


def test_the_images_can_import_all_that_they_have(sources: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "--extract", "--directory", tmp_path, "--file", sources], check=True)
    code = tmp_path / recipe.CODE[1:]
    modules = [".".join(path.relative_to(code).with_suffix("").parts) for path in code.rglob("*.py")]
    script = f"import importlib; [importlib.import_module(name) for name in {modules!r} if '__main__' not in name]"
    environment = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("root", ["migrid", "opt/migrid"])
def test_the_compiled_package_makes_one_layer_wherever_it_was_compiled(
    root: str, sources: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run(["tar", "--extract", "--directory", there, "--file", sources], check=True)
    parent = (there / "opt/migrid").parents[root.count("/")]
    listed = ["tar", "--create", "--mtime=now", "--owner=nobody:65534", "--sort=none", "--directory", parent, "."]
    compiled = subprocess.run(listed, capture_output=True, check=True).stdout
    layers.write_code(io.BytesIO(compiled), root, tmp_path / "code.tar")
    with tarfile.open(sources) as expected, tarfile.open(tmp_path / "code.tar") as archive:
        made = _contents(archive)
        assert made.pop("opt")[1:3] == made.pop("opt/migrid")[1:3] == (0o755, recipe.EPOCH)
        assert made == _contents(expected)


def _contents(archive: tarfile.TarFile) -> dict[str, tuple[object, ...]]:
    return {
        entry.name: (
            *(entry.type, entry.mode, entry.mtime, entry.uname),
            file.read() if (file := archive.extractfile(entry)) else b"",
        )
        for entry in archive.getmembers()
    }
