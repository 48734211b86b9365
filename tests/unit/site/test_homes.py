"""The confined door: what users leave in their homes leads nowhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrid.site.errors import HomeError
from migrid.site.homes import Homes

ADA = "+C=NA+CN=Ada_Example+emailAddress=ada@example.org"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "user_home").mkdir()
    return tmp_path / "user_home"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("keep me", encoding="utf-8")
    return tmp_path / "outside"


@pytest.fixture
def homes(root: Path) -> Iterator[Homes]:
    with Homes(root, "Welcome\n") as opened:
        yield opened


def test_a_new_home_is_private_and_welcomes(homes: Homes, root: Path) -> None:
    homes.create(ADA)
    assert stat.S_IMODE((root / ADA).stat().st_mode) == 0o700
    assert (root / ADA / "welcome.txt").read_text(encoding="utf-8") == "Welcome\n"


def test_creating_again_leaves_the_home_alone(homes: Homes, root: Path) -> None:
    homes.create(ADA)
    (root / ADA / "welcome.txt").unlink()
    homes.create(ADA)
    assert list((root / ADA).iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../outside", "a\0b"])
def test_only_names_are_accepted(homes: Homes, outside: Path, name: str) -> None:
    for act in (homes.create, homes.discard, homes.remove, homes.unlink, homes.exists, homes.target):
        with pytest.raises(HomeError, match="is not the name of a home"):
            act(name)
    with pytest.raises(HomeError, match="is not the name of a home"):
        homes.link("ada", name)
    homes.create(ADA)
    with pytest.raises(HomeError, match="is not the name of a home"):
        homes.rename(ADA, name)
    assert (outside / "precious").exists()


def test_a_link_in_the_place_of_a_home_is_refused(homes: Homes, root: Path, outside: Path) -> None:
    (root / ADA).symlink_to(outside)
    for act in (homes.create, homes.discard, homes.remove):
        with pytest.raises(HomeError, match="is not a directory; move it away"):
            act(ADA)
    assert (outside / "precious").exists()


def test_removal_does_not_follow_links(homes: Homes, root: Path, outside: Path) -> None:
    homes.create(ADA)
    (root / ADA / "folder").mkdir()
    for place in (root / ADA, root / ADA / "folder"):
        (place / "link").symlink_to(outside)
        (place / "file").symlink_to(outside / "precious")
        (place / "up").symlink_to("..")
        (place / "loop").symlink_to("loop")
    os.mkfifo(root / ADA / "pipe")
    homes.remove(ADA)
    assert list(root.iterdir()) == []
    assert (outside / "precious").read_text(encoding="utf-8") == "keep me"


def make_deep(directory: Path, depth: int) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("deep", dir_fd=descriptor)
        below = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("file", os.O_CREAT, dir_fd=descriptor))
    os.close(descriptor)


def test_removal_of_what_is_deeper_than_any_path(homes: Homes, root: Path) -> None:
    homes.create(ADA)
    make_deep(root / ADA, 3000)
    homes.remove(ADA)
    assert list(root.iterdir()) == []


def test_removal_of_what_its_owner_cannot_read(open_directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to act as another account")
    root = open_directory / "user_home"
    root.mkdir()
    closed = root / ADA / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "file").touch()
    (closed / "file").touch()
    for path in (root, root / ADA, closed, closed / "inner"):
        os.chown(path, 4242, 4242)
    for path in (closed / "inner", closed, root / ADA):
        path.chmod(0)
    os.seteuid(4242)
    try:
        with Homes(root, "Welcome\n") as homes:
            homes.remove(ADA)
    finally:
        os.seteuid(0)
    assert list(root.iterdir()) == []


def test_removal_is_idempotent(homes: Homes) -> None:
    homes.remove(ADA)
    homes.discard(ADA)


def test_a_home_with_data_is_not_discarded(homes: Homes, root: Path) -> None:
    homes.create("new")
    homes.create("used")
    (root / "used" / "data").touch()
    homes.discard("new")
    homes.discard("used")
    assert [path.name for path in root.iterdir()] == ["used"]


def test_renaming_keeps_the_data_and_can_be_repeated(homes: Homes, root: Path) -> None:
    homes.create("old")
    (root / "old" / "data").touch()
    homes.rename("old", "new")
    homes.rename("old", "new")
    assert (root / "new" / "data").exists()
    assert not (root / "old").exists()


def test_renaming_never_replaces(homes: Homes, root: Path) -> None:
    homes.create("old")
    homes.create("new")
    with pytest.raises(HomeError, match="exists, with the data of an earlier user"):
        homes.rename("old", "new")
    assert (root / "old").exists()


def test_aliases_lead_to_homes(homes: Homes, root: Path) -> None:
    homes.create(ADA)
    homes.link("ada", ADA)
    homes.link("ada", ADA)
    assert (root / "ada" / "welcome.txt").exists()
    homes.link("ada", "other")
    assert homes.target("ada") == "other"
    homes.unlink("ada")
    homes.unlink("ada")
    assert homes.target("ada") is None
    assert homes.exists(ADA)


def test_an_alias_never_replaces_what_is_no_link(homes: Homes, root: Path) -> None:
    (root / "ada").mkdir()
    for act in (homes.unlink, homes.target):
        with pytest.raises(HomeError, match="is not a symbolic link"):
            act("ada")
    with pytest.raises(HomeError, match="is not a symbolic link"):
        homes.link("ada", ADA)


def test_the_root_may_be_a_link_of_the_operator(tmp_path: Path, root: Path) -> None:
    (tmp_path / "mounted").symlink_to(root)
    with Homes(tmp_path / "mounted") as homes:
        homes.create(ADA)
    assert (root / ADA).is_dir()


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"gone cannot be used: No such file"):
        Homes(tmp_path / "gone")
