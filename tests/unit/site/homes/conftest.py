"""Fixtures of the tests of one home."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_home import (
    BROKEN,
    INSIDE,
    KEY,
    LEADING_OUT,
    SECRET,
    contents,
    make_files,
    make_special,
)

from migrid.site.homes import Home, Homes, beneath


@pytest.fixture(params=["openat2", "walk"])
def following(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether links are followed: each test runs with openat2, and as where the kernel has none."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "open_resolved", no_openat2)
    return request.param == "openat2"


def no_openat2(*_: object) -> int:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "homes" / "ada").mkdir(parents=True)
    return tmp_path / "homes" / "ada"


@pytest.fixture
def home(path: Path, following: bool) -> Iterator[Home]:
    with Homes(path.parent) as homes, homes.open(path.name) as home:
        yield home


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A tree of somebody else, which is the same at the end of the test."""
    place = tmp_path / "homes" / "bob"
    make_files(place, {"file": SECRET, "inner/file": SECRET, "bobs": ""})
    before = contents(place)
    yield place
    assert contents(place) == before


@pytest.fixture
def hostile(path: Path, outside: Path) -> Path:
    make_files(path, {"docs/file": "report", "docs/inner/file": "deep", ".ssh/file": KEY, ".ssh/inner/file": KEY})
    for name, target in {**INSIDE, **LEADING_OUT, **BROKEN}.items():
        (path / name).symlink_to(target.format(outside=outside))
    make_special(path)
    return path
