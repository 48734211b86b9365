"""File systems to copy between: ext4 and tmpfs of the tests' own where this machine lets us mount them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from volumes_rig import Pair, on_subvolume

from migrid.grid.volumes import plan

MIB = 1 << 20


@contextmanager
def mounted(directory: Path, kind: str, mib: int) -> Iterator[Path]:
    """A new file system of this kind, mounted in `directory`; skips the test where that is impossible."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    directory.mkdir()
    source, options = ["tmpfs"], ["-t", "tmpfs", "-o", f"size={mib}m"]
    if kind != "tmpfs":
        image = directory.with_suffix(".img")
        with image.open("wb") as stream:
            stream.truncate(mib * MIB)
        subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True, capture_output=True)
        source, options = [str(image)], ["-o", "loop"]
    done = subprocess.run(["mount", *options, *source, str(directory)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no {kind}: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture(scope="session")
def ext4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An ext4 of the tests' own."""
    with mounted(tmp_path_factory.mktemp("volumes") / "ext4", "ext4", 1024) as directory:
        yield directory


@pytest.fixture(scope="session")
def tmpfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A tmpfs of the tests' own."""
    with mounted(tmp_path_factory.mktemp("volumes") / "tmpfs", "tmpfs", 512) as directory:
        yield directory


@pytest.fixture(scope="session")
def btrfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A btrfs of the tests' own."""
    if shutil.which("btrfs") is None:
        pytest.skip("btrfs-progs is not installed")
    with mounted(tmp_path_factory.mktemp("volumes") / "btrfs", "btrfs", 1024) as directory:
        yield directory


@pytest.fixture(params=["ext4", "tmpfs"])
def file_system(request: pytest.FixtureRequest) -> Path:
    """One that tells of stores by ctime, and one that does not."""
    directory: Path = request.getfixturevalue(request.param)
    return directory


@pytest.fixture
def quick_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files settle sooner: no kernel's clock is as coarse as this, although some file systems' are."""
    monkeypatch.setattr(plan, "RACY_NANOSECONDS", 50_000_000)


@pytest.fixture
def pair(file_system: Path, tmp_path: Path) -> Pair:
    """Source and target on the same file system, empty."""
    top = file_system / tmp_path.name
    return Pair(top / "source", top / "target", tmp_path / "state")


@pytest.fixture
def subvolume_pair(btrfs: Path, tmp_path: Path) -> Pair:
    """A source that is a subvolume of btrfs, with a place for its snapshots, and a target beside it."""
    return on_subvolume(btrfs / tmp_path.name, tmp_path / "state")


@pytest.fixture
def ext4_pair(ext4: Path, tmp_path: Path) -> Pair:
    """Source and target on ext4, empty."""
    top = ext4 / tmp_path.name
    return Pair(top / "source", top / "target", tmp_path / "state")
