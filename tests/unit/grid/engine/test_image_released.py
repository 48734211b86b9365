"""Released images on their way into an engine: `mig-grid appliance load` as an operator sees it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from standin import StandIn


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of two images."""
    directory = tmp_path / "release"
    directory.mkdir()
    for name in ("mig", "migctl"):
        _write_image(directory / f"{name}-1.tar", f"migrid/{name}:1")
    _write_checksums(directory)
    return directory


def _write_image(path: Path, *names: str) -> None:
    content = json.dumps([{"Config": "c.json", "RepoTags": names, "Layers": []}]).encode()
    entry = tarfile.TarInfo("manifest.json")
    entry.size = len(content)
    with tarfile.open(path, "w") as archive:
        archive.addfile(entry, io.BytesIO(content))


def _write_checksums(directory: Path) -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(directory.glob("*.tar"))}
    (directory / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))


@pytest.fixture
def engine(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path, {"load": {"input": True}})


def _load(engine: StandIn, tmp_path: Path, *places: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "mig-grid"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [program, "appliance", "load", *places]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_all_images_of_a_directory_are_loaded(release: Path, engine: StandIn, tmp_path: Path) -> None:
    done = _load(engine, tmp_path, release)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "migrid/mig:1 is loaded.\nmigrid/migctl:1 is loaded.\n"
    assert engine.commands == ["load --quiet"] * 2
    assert engine.input == (release / "migctl-1.tar").read_bytes()


def test_one_image_is_loaded(release: Path, engine: StandIn, tmp_path: Path) -> None:
    assert _load(engine, tmp_path, release / "mig-1.tar").stdout == "migrid/mig:1 is loaded.\n"
    assert engine.input == (release / "mig-1.tar").read_bytes()


def _cut_off(release: Path) -> None:
    with (release / "migctl-1.tar").open("rb+") as file:
        file.truncate(100)


def _without_checksums(release: Path) -> None:
    (release / "SHA256SUMS").unlink()


def _not_listed(release: Path) -> None:
    _write_image(release / "other.tar", "migrid/mig:2")


def _another_image(release: Path) -> None:
    _write_image(release / "migctl-1.tar", "debian:13")
    _write_checksums(release)


def _two_images(release: Path) -> None:
    _write_image(release / "migctl-1.tar", "migrid/mig:1", "debian:13")
    _write_checksums(release)


def _no_image(release: Path) -> None:
    (release / "migctl-1.tar").write_bytes(b"\0" * 2000)
    _write_checksums(release)


def _no_list(release: Path) -> None:
    (release / "SHA256SUMS").write_text("mig-1.tar is all right\n")


def _empty(release: Path) -> None:
    for path in release.iterdir():
        path.unlink()


PROBLEMS = {
    "migctl-1.tar is not what was released": _cut_off,
    "There is no file": _without_checksums,
    "SHA256SUMS does not name other.tar": _not_listed,
    "'debian:13' is no image of the MIG assembly": _another_image,
    "migctl-1.tar is no archive of one image,": _two_images,
    "migctl-1.tar is no archive of one image": _no_image,
    "SHA256SUMS, line 1: write 64 hexadecimal digits": _no_list,
    "has no image: no file there ends with .tar": _empty,
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_nothing_is_loaded_when_something_is_wrong(
    problem: str, release: Path, engine: StandIn, tmp_path: Path
) -> None:
    PROBLEMS[problem](release)
    done = _load(engine, tmp_path, release)
    assert done.returncode != 0
    assert done.stderr.startswith("mig-grid: ")
    assert problem.rstrip(",") in done.stderr
    assert engine.commands == []
