"""The recipe of the helper image. That it can be built and run is seen on real grids."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

from migrid.grid.image import build, recipe


def test_the_mirrors_are_those_of_the_host() -> None:
    indexes = [
        "Debian|http://mirror.example.org/debian/",
        "Debian|http://other/",
        "Debian-Security|http://sec/d/",
        "x|y",
    ]
    assert recipe.mirrors([*indexes, "Debian-Security|http://sec/d/"]) == (
        "http://mirror.example.org/debian",
        "http://sec/d",
    )
    assert recipe.mirrors([]) == (recipe.DEFAULT_MIRROR, recipe.DEFAULT_SECURITY_MIRROR)


def test_the_base_has_one_name_for_one_recipe() -> None:
    assert recipe.base_name() == recipe.base_name()
    assert recipe.base_name().startswith("migrid/mighelper-base:")


def test_the_image_has_the_grid_and_nothing_else_of_the_package() -> None:
    with tarfile.open(fileobj=build._code()) as archive:
        entries = archive.getmembers()
    names = {entry.name for entry in entries}
    assert {"opt/migrid/migrid/__init__.py", "opt/migrid/migrid/grid/helper.py"} <= names
    assert not [name for name in names if "migrid/site" in name or "migrid/provision/" in name or "__pycache__" in name]
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}


def test_the_image_can_import_all_that_it_has(tmp_path: Path) -> None:
    subprocess.run(["tar", "--extract", "--directory", tmp_path], input=build._code().read(), check=True)
    code = tmp_path / recipe.CODE[1:]
    modules = [".".join(path.relative_to(code).with_suffix("").parts) for path in code.rglob("*.py")]
    script = f"import importlib; [importlib.import_module(name) for name in {modules!r} if '__main__' not in name]"
    environment = {**os.environ, "PYTHONPATH": str(code)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
