"""A release is one file that needs nothing but Python to become a virtual environment."""

from __future__ import annotations

import os
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from migrid.provision.release import build, release_id

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy = tmp_path / "checkout"
    shutil.copytree(PROJECT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    return copy


def test_every_file_of_the_package_is_in_the_name(checkout: Path) -> None:
    before = release_id(checkout)
    assert release_id(checkout) == before
    (checkout / "src/migrid/site/new.py").write_text("")
    assert release_id(checkout) != before


def test_another_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        release_id(tmp_path)


def test_a_release_becomes_a_virtual_environment_without_network_or_pip(checkout: Path, tmp_path: Path) -> None:
    release = build(checkout, tmp_path / "built")
    environment = {"PATH": os.environ["PATH"], "PEX_TOOLS": "1", "PEX_ROOT": str(tmp_path / "cache")}
    make = [sys.executable, str(release), "venv", str(tmp_path / "venv")]
    subprocess.run(make, env=environment, cwd=tmp_path, check=True)
    answer = subprocess.run([tmp_path / "venv/bin/mig", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("mig ")
    assert not (tmp_path / "venv/bin/pip").exists()
    for name, licence in (("wsgidav", "MIT"), ("defusedxml", "PSF")):
        where = f"import importlib.metadata as m, {name}; print({name}.__file__, m.metadata('{name}')['License'])"
        python = [tmp_path / "venv/bin/python", "-c", where]
        found = subprocess.run(python, env=environment, capture_output=True, text=True, check=True).stdout
        assert found.startswith(str(tmp_path / "venv"))
        assert licence in found


def test_every_command_of_the_release_is_there() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert set(scripts) == {"mig", "mig-grid", "mig-grid-gate", "mig-grid-owner", "mig-login", "migctl"}
    for entry in scripts.values():
        assert callable(pkgutil.resolve_name(entry))
