"""Where there is no btrfs, a directory stays what it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from migrid.grid.docker import subvolume as docker_subvolume


def test_a_directory_of_another_file_system_stays(tmp_path: Path) -> None:
    directory = tmp_path / "_data"
    directory.mkdir(mode=0o750)
    before = directory.stat()
    docker_subvolume.replace(directory)
    after = directory.stat()
    assert after.st_mode == before.st_mode
    assert [path.name for path in tmp_path.iterdir()] == ["_data"]


def test_a_directory_with_files_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = tmp_path.stat().st_ino
    docker_subvolume.replace(tmp_path)
    assert tmp_path.stat().st_ino == before


def test_a_place_of_snapshots_is_cleared_by_the_command_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "link").symlink_to("/etc")
    subprocess.run([sys.executable, "-m", "migrid.grid.docker.subvolume", "clear", str(tmp_path)], check=True)
    assert list(tmp_path.iterdir()) == []
    assert Path("/etc/passwd").exists()
