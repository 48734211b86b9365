"""A project directory gets a newer version, and what the application wrote there stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrid.grid.applications import contents
from migrid.grid.applications.contents import Changes
from migrid.grid.errors import DefinitionError


def fill(directory: Path, files: dict[str, str]) -> Path:
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


class Project:
    """A project directory that newer and newer versions are put into."""

    def __init__(self, root: Path, data: frozenset[str] = frozenset()) -> None:
        self.root = root
        self.directory = root / "project"
        self.data = data
        self.earlier: dict[str, contents.Entry] = {}

    def put(self, files: dict[str, str]) -> Changes:
        source = fill(self.root / f"version-{len(list(self.root.iterdir()))}", files)
        wanted = contents.read(source)
        present = contents.look(self.directory, {*wanted, *self.earlier, *self.data})
        changes = contents.plan(wanted, self.earlier, present, self.data)
        contents.carry_out(changes, source, self.directory)
        self.earlier = wanted
        return changes

    def text(self, name: str) -> str:
        return (self.directory / name).read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_only_what_differs_is_written(project: Project) -> None:
    assert project.put({"compose.yaml": "1", "conf/a": "1", "conf/b": "1"}).written == (
        "compose.yaml",
        "conf",
        "conf/a",
        "conf/b",
    )
    assert not project.put({"compose.yaml": "1", "conf/a": "1", "conf/b": "1"})
    assert project.put({"compose.yaml": "1", "conf/a": "2", "conf/b": "1"}) == Changes(written=("conf/a",))
    assert project.text("conf/a") == "2"


def test_what_was_put_there_goes_again_and_nothing_else(project: Project) -> None:
    project.put({"compose.yaml": "1", "old/a": "1", "old/b": "1", "changed": "1"})
    fill(project.directory, {"old/mine": "mine", "changed": "by hand"})
    assert project.put({"compose.yaml": "1"}).removed == ("old/b", "old/a", "old")
    assert project.text("old/mine") == "mine"
    assert project.text("changed") == "by hand"
    assert not (project.directory / "old/a").exists()


def test_what_the_application_may_write_to_is_given_once(tmp_path: Path) -> None:
    project = Project(tmp_path, frozenset({"data"}))
    project.put({"compose.yaml": "1", "data/seed": "first", "data/rest": "first"})
    assert project.text("data/seed") == "first"
    fill(project.directory, {"data/seed": "written by the application"})
    assert not project.put({"compose.yaml": "1", "data/seed": "second", "data/new": "second"})
    assert project.text("data/seed") == "written by the application"
    assert project.text("data/rest") == "first"
    assert not (project.directory / "data/new").exists()


def test_a_mount_of_the_whole_directory_makes_no_data_of_the_program(tmp_path: Path) -> None:
    project = Project(tmp_path, frozenset({"."}))
    project.put({"compose.yaml": "1", "app.py": "1"})
    assert project.put({"compose.yaml": "1", "app.py": "2"}).written == ("app.py",)


def test_a_file_changed_by_hand_is_put_right(project: Project) -> None:
    project.put({"compose.yaml": "1"})
    fill(project.directory, {"compose.yaml": "by hand"})
    assert project.put({"compose.yaml": "1"}).written == ("compose.yaml",)


def test_modes_links_and_owners_come_along(tmp_path: Path) -> None:
    source = fill(tmp_path / "source", {"secret": "x", "run.sh": "x"})
    (source / "secret").chmod(0o600)
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("run.sh")
    os.chown(source / "secret", 999, 998)
    contents.carry_out(contents.plan(contents.read(source), {}, {}, ()), source, tmp_path / "project")
    assert contents.read(tmp_path / "project") == contents.read(source)
    assert (tmp_path / "project/link").readlink() == Path("run.sh")
    status = (tmp_path / "project/secret").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (999, 998, 0o600)


def test_no_link_leads_out_of_the_project(project: Project, tmp_path: Path) -> None:
    project.put({"compose.yaml": "1"})
    fill(tmp_path / "outside", {})
    (project.directory / "conf").symlink_to(tmp_path / "outside")
    with pytest.raises(DefinitionError, match="symbolic link"):
        contents.carry_out(
            Changes(("conf/passwd",)), fill(tmp_path / "source", {"conf/passwd": "x"}), project.directory
        )
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_is_no_file_is_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(fill(tmp_path / "source", {}) / "pipe")
    with pytest.raises(DefinitionError, match="source/pipe is no file, link or directory"):
        contents.read(tmp_path / "source")


def test_a_directory_does_not_become_a_file_unasked(project: Project) -> None:
    project.put({"thing/a": "1"})
    fill(project.directory, {"thing/mine": "mine"})
    with pytest.raises(DefinitionError, match="is a directory, and is to become a file"):
        project.put({"thing": "1"})
    assert project.text("thing/mine") == "mine"
