"""What a checkout installs on hosts: its name, and how it is built.

A release is one file, made with pex on the control node from this package and from what is EMBEDDED. On the host it
turns itself into a virtual environment, for which it needs Python and nothing else, no package index and no pip.

    python -m migrid.provision.release CHECKOUT DIRECTORY      builds DIRECTORY/migrid.pex
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

PARTS = ("pyproject.toml", "src/migrid")
FILE_NAME = "migrid.pex"
EMBEDDED = ("defusedxml", "wsgidav")
"""Python packages that Linux distributions lack: pure Python, copied from the control node's own environment, for which
requirements.txt says their versions. What they need besides comes from the host's distribution, or is not used."""


def release_id(checkout: Path) -> str:
    """Twelve hexadecimal digits that change with every file that goes into the package, and with what is EMBEDDED.

    Raises:
        FileNotFoundError: ``checkout`` is not a checkout of this project, or a package is not installed.
    """
    digest = hashlib.sha256()
    for name in EMBEDDED:
        digest.update(f"{name}=={_distribution(name).version}\0".encode())
    for path in sorted(_files(checkout)):
        digest.update(f"{path.relative_to(checkout)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def build(checkout: Path, directory: Path) -> Path:
    """Build the release of ``checkout``; returns its path, which appears when it is complete.

    Raises:
        subprocess.CalledProcessError: pip or pex failed; they have said why on standard error.
    """
    directory.mkdir(parents=True, exist_ok=True)
    python = sys.executable
    with (
        tempfile.TemporaryDirectory(dir=directory.parent) as wheels,
        tempfile.TemporaryDirectory(dir=directory.parent) as embedded,
    ):
        for name in EMBEDDED:
            _copy(name, Path(embedded))
        pip = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, str(checkout)]
        subprocess.run([python, "-m", *pip], check=True)
        staged = Path(wheels, FILE_NAME)
        pex = ["pex", "--pre-resolved-dists", wheels, "--sources-directory", embedded, "--include-tools"]
        pex += ["--output-file", str(staged)]
        subprocess.run([python, "-m", *pex, "--interpreter-constraint", ">=3.11", "migrid"], check=True)
        return staged.replace(directory / FILE_NAME)


def _copy(name: str, directory: Path) -> None:
    """Copy an installed package with its metadata, in which its licence is."""
    distribution = _distribution(name)
    for file in _installed(distribution):
        target = directory / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(distribution.locate_file(file)), target)


def _installed(distribution: Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        if not {"..", "__pycache__"} & set(file.parts):
            yield str(file)


def _distribution(name: str) -> Distribution:
    try:
        return Distribution.from_name(name)
    except PackageNotFoundError:
        remedy = "run: python -m pip install --requirement requirements.txt"
        raise FileNotFoundError(f"the Python package {name} is not installed beside Ansible; {remedy}") from None


def _files(checkout: Path) -> list[Path]:
    package = (path for path in (checkout / PARTS[1]).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = [checkout / PARTS[0], *package]
    if len(found) == 1:
        raise FileNotFoundError(f"{checkout} holds no {PARTS[1]}")
    return found


def main() -> None:
    checkout, directory = map(Path, sys.argv[1:])
    try:
        build(checkout, directory)
    except subprocess.CalledProcessError as error:
        sys.exit(f"the release cannot be built: {error}")


if __name__ == "__main__":
    main()
