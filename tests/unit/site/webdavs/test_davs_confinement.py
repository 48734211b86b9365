"""What a hostile tree holds leads nowhere, over WebDAV as in the home itself."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from dav_client import DavClient
from hostile_home import BROKEN, INSIDE, KEY, LEADING_OUT, SECRET, SPECIAL, contents, make_files, make_special
from sample_site import SampleSite

METHODS = (
    "GET",
    "HEAD",
    "PUT",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "LOCK",
    "DELETE",
    "COPY",
    "MOVE",
    "COPY to",
    "MOVE to",
)
LOCK = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>'
)

NO_PATHS = (
    *(
        "/..",
        "/../bob/file",
        "/docs/../../bob/file",
        "/./docs",
        "/docs//file",
        "//docs",
        "/docs/\0",
        "/\0",
        "/" + "x" * 256,
    ),
    *("/.ssh/file", "/.ssh", "/.trash/files/file", "/docs/to_top/.ssh/file", "/.partial-0123456789abcdef"),
)


def attempt(client: DavClient, method: str, path: str | bytes) -> int:
    """What a method does to a path, or with it as its destination."""
    if method.endswith(" to"):
        return client.to(method.removesuffix(" to"), "/docs/inner/file", path)
    if method in ("COPY", "MOVE"):
        return client.to(method, path, "/taken")
    return client.status(method, path, LOCK if method == "LOCK" else "", Depth="0")


@pytest.fixture
def outside(site: SampleSite) -> Iterator[Path]:
    """A tree of somebody else beside the home, which is the same at the end of the test."""
    place = site.state / "user_home/bob"
    make_files(place, {"file": SECRET, "inner/file": SECRET})
    before = contents(place)
    yield place
    assert contents(place) == before
    shutil.rmtree(place)


@pytest.fixture
def hostile(home: Path, outside: Path) -> Path:
    make_files(
        home,
        {
            "docs/file": "report",
            "docs/inner/file": "deep",
            ".ssh/file": KEY,
            ".ssh/inner/file": KEY,
            ".trash/files/file": KEY,
        },
    )
    for name, target in {**INSIDE, **LEADING_OUT, **BROKEN}.items():
        (home / name).symlink_to(target.format(outside=outside))
    make_special(home)
    return home


@pytest.mark.parametrize("method", METHODS)
def test_no_method_gets_out_through_a_link(ada: DavClient, hostile: Path, method: str) -> None:
    before = contents(hostile)
    for link, below in itertools.product((*LEADING_OUT, *BROKEN), ("file", "new", "inner/file")):
        assert attempt(ada, method, f"/{link}/{below}") in (403, 409), (link, below)
    assert contents(hostile) == before


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_file_is_left_alone(ada: DavClient, hostile: Path, method: str) -> None:
    before = contents(hostile)
    for name in (*LEADING_OUT, *BROKEN, *SPECIAL):
        assert attempt(ada, method, f"/{name}") in (403, 405), name
    assert contents(hostile) == before


@pytest.mark.parametrize("method", METHODS)
def test_no_path_is_another_one(ada: DavClient, hostile: Path, method: str) -> None:
    before = contents(hostile)
    for path in NO_PATHS:
        assert attempt(ada, method, path) in (403, 404, 409, 414), path
    assert contents(hostile) == before


def test_links_that_stay_inside_are_followed(ada: DavClient, hostile: Path) -> None:
    assert ada.get("/to_chain/file") == b"report"
    assert ada.status("PUT", "/to_dir/new", b"new") == 201
    assert (hostile / "docs/new").read_bytes() == b"new"
    assert "/to_dir/new" in ada.names("/to_dir")


def test_a_listing_shows_what_can_be_used(ada: DavClient, hostile: Path) -> None:
    assert ada.names() == {"/docs/", "/to_dir/", "/to_chain/", "/to_inner/", "/welcome.txt"}


def test_a_hard_link_is_a_file_as_any(ada: DavClient, hostile: Path) -> None:
    os.link(hostile / "docs/file", hostile / "twin")
    assert ada.status("PUT", "/twin", b"changed") == 204
    assert ada.get("/docs/file") == b"report"


def test_a_folder_that_becomes_a_link_lets_nobody_out(ada: DavClient, hostile: Path, outside: Path) -> None:
    make_files(hostile, {"swap/file": "own"})
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (hostile / "swap").rename(hostile / "aside")
            (hostile / "swap").symlink_to(outside)
            (hostile / "swap").unlink()
            (hostile / "aside").rename(hostile / "swap")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(150):
            answer = ada.ask("GET", "/swap/file")
            assert answer.status in (200, 403, 404)
            assert SECRET.encode() not in answer.data
            assert ada.status("PUT", "/swap/new", b"mine") in (201, 204, 403, 404, 405, 409)
            assert ada.to("COPY", "/swap/file", "/taken") in (201, 204, 403, 404, 409)
            assert SECRET.encode() not in (hostile / "taken").read_bytes() if (hostile / "taken").exists() else True
    finally:
        done.set()
        swapping.join()
