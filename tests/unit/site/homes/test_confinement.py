"""What a hostile tree holds leads nowhere."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_home import (
    BROKEN,
    CHANGING,
    INSIDE,
    KEY,
    LEADING_OUT,
    OPERATIONS,
    READING,
    SPECIAL,
    append,
    contents,
    is_done,
    make_files,
    read,
    refusal,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from migrid.site.homes import EntryKind, FileError, Home, Kind
from migrid.site.homes.paths import parse


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_operation_gets_out_through_a_link(home: Home, hostile: Path, operation: str) -> None:
    before = contents(hostile)
    for link, below in itertools.product((*LEADING_OUT, *BROKEN), ("file", "new", "inner/file", "../bob/file")):
        error = refusal(lambda below=f"{link}/{below}": OPERATIONS[operation](home, below))
        assert error.kind == Kind.NOT_ALLOWED
    assert contents(hostile) == before


@pytest.mark.parametrize("operation", READING)
@pytest.mark.parametrize("link", [*LEADING_OUT, *BROKEN])
def test_a_link_that_leads_out_is_not_read(
    home: Home, hostile: Path, following: bool, operation: str, link: str
) -> None:
    error = refusal(lambda: READING[operation](home, link))
    assert error.kind == Kind.NOT_ALLOWED
    if following and link in LEADING_OUT:
        assert "leads out of the home by a symbolic link; only relative links that stay inside" in str(error)


@pytest.mark.parametrize("link", [*INSIDE, *LEADING_OUT, *BROKEN])
def test_what_changes_a_link_changes_the_link(home: Home, hostile: Path, link: str) -> None:
    target = (hostile / link).readlink()
    for act in (home.create, lambda path: home.replace(path).commit(), home.make_directory):
        assert refusal(lambda act=act: act(link)).kind in (Kind.EXISTS, Kind.NOT_A_FILE)
    assert refusal(lambda: append(home, link)).kind == Kind.NOT_A_FILE
    home.move(link, "moved")
    assert (hostile / "moved").readlink() == target
    home.trash.restore(home.delete("moved"))
    home.remove("moved")
    assert not os.path.lexists(hostile / "moved")


def test_links_that_stay_inside_are_followed(home: Home, hostile: Path, following: bool) -> None:
    if not following:
        for link in INSIDE:
            assert "which is not followed here" in str(refusal(lambda link=link: home.listing(link)))
        return
    for link in ("to_dir", "to_chain", "docs/to_here", "docs/to_itself", "docs/to_top/docs"):
        assert read(home, f"{link}/file") == b"report"
        assert home.listing(link).keys() == home.listing("docs").keys()
        assert home.stat(link).kind == EntryKind.DIRECTORY
    assert read(home, "to_inner/file") == b"deep"
    write(home, "to_chain/new", b"through links")
    assert (hostile / "docs/new").read_bytes() == b"through links"
    home.move("to_dir/new", "docs/to_top/moved")
    assert (hostile / "moved").exists()


def test_a_link_to_a_file_is_read_as_the_file(home: Home, hostile: Path, following: bool) -> None:
    (hostile / "to_file").symlink_to("to_chain/file")
    if not following:
        assert home.listing()["to_file"].kind == EntryKind.LINK
        return
    assert read(home, "to_file") == b"report"
    assert home.listing()["to_file"].kind == home.stat("to_file").kind == EntryKind.FILE
    home.copy("to_file", "copy")
    assert not (hostile / "copy").is_symlink()
    assert (hostile / "copy").read_text(encoding="utf-8") == "report"


def test_a_listing_tells_what_cannot_be_followed(home: Home, hostile: Path) -> None:
    entries = home.listing()
    assert {name for name, entry in entries.items() if entry.kind == EntryKind.LINK} >= {*LEADING_OUT, *BROKEN}
    assert {name for name, entry in entries.items() if entry.kind == EntryKind.SPECIAL} == set(SPECIAL)


@pytest.mark.parametrize("name", [".ssh", ".davs", ".ftps", ".trash"])
def test_what_belongs_to_the_site_is_out_of_reach(home: Home, path: Path, name: str) -> None:
    make_files(path, {f"{name}/authorized_keys": KEY, f"docs/{name}/own": "own"})
    make_files(path, {"docs/file": "report", "docs/inner/file": "deep"})
    (path / "here").symlink_to(".")
    (path / "link").symlink_to(f"{name}/authorized_keys")
    for operation in OPERATIONS.values():
        for below in (name, f"/{name}/authorized_keys", f"{name}/new", f"here/{name}", f"here/{name}/authorized_keys"):
            assert refusal(lambda act=operation, below=below: act(home, below)).kind == Kind.NOT_ALLOWED
    for operation in READING.values():
        assert refusal(lambda act=operation: act(home, "link")).kind == Kind.NOT_ALLOWED
    assert name not in home.listing()
    assert (path / name / "authorized_keys").read_text(encoding="utf-8") == KEY
    assert read(home, f"docs/{name}/own") == b"own"


def test_a_link_to_a_deep_directory_needs_few_descriptors(home: Home, path: Path, following: bool) -> None:
    deep = "d/" * 300
    make_files(path, {f"{deep}file": "deep"})
    (path / "link").symlink_to(deep)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        assert is_done(lambda: read(home, "link/file")) == following
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_home_seen_through_a_link_hides_the_same(home: Home, hostile: Path, following: bool) -> None:
    if following:
        assert home.listing("docs/to_top").keys() == home.listing().keys()
        assert refusal(lambda: home.copy("docs/to_top", "copy")).kind == Kind.NOT_ALLOWED


@pytest.mark.parametrize("special", SPECIAL)
def test_special_files_are_refused_at_once(home: Home, hostile: Path, special: str) -> None:
    for act in (read, append, lambda home, path: write(home, path, b"x"), lambda home, path: home.copy(path, "copy")):
        assert refusal(lambda act=act: act(home, special)).kind == Kind.NOT_A_FILE
    assert home.stat(special).kind == EntryKind.SPECIAL
    home.remove(special)
    assert not os.path.lexists(hostile / special)


def test_a_file_that_was_opened_waits_for_its_data(home: Home) -> None:
    write(home, "file", b"data")
    with home.open("file") as file:
        assert os.get_blocking(file.fileno())


def test_hard_links_are_files(home: Home, path: Path) -> None:
    write(home, "file", b"one")
    (path / "second").hardlink_to(path / "file")
    assert read(home, "second") == b"one"
    write(home, "second", b"two")
    assert (read(home, "file"), read(home, "second")) == (b"one", b"two")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "bad",
    ["..", "../bob/file", "docs/../../bob/file", "docs/.", "docs//file", "docs/\0", "\ud800", ("docs/file",), ("",)],
)
def test_what_is_no_name_is_refused(home: Home, hostile: Path, operation: str, bad: object) -> None:
    before = contents(hostile)
    assert refusal(lambda: OPERATIONS[operation](home, bad)).kind == Kind.NOT_ALLOWED
    assert contents(hostile) == before


@pytest.mark.parametrize("operation", CHANGING)
@pytest.mark.parametrize("top", ["", "/", ()])
def test_the_home_itself_stays(home: Home, hostile: Path, operation: str, top: object) -> None:
    assert refusal(lambda: CHANGING[operation](home, top)).kind == Kind.NOT_ALLOWED
    assert home.stat(top).kind == EntryKind.DIRECTORY


@given(st.binary(min_size=1, max_size=255).filter(lambda data: not {0, 0x2F} & set(data)))
def test_any_bytes_that_the_disk_takes_are_a_name(data: bytes) -> None:
    if data in (b".", b".."):
        return
    name = os.fsdecode(data)
    assert os.fsencode(parse(("docs", name))[1]) == data
    assert parse(f"/docs/{name}") == ("docs", name)


@given(st.text(st.characters(exclude_categories=())) | st.lists(st.text(), max_size=3))
def test_a_path_is_names_or_an_error(path: str | list[str]) -> None:
    with suppress(FileError):
        for name in parse(path):
            assert name not in ("", ".", "..")
            assert not {"/", "\0"} & set(name)
            assert 1 <= len(os.fsencode(name)) <= 255


@pytest.mark.parametrize("name", ["a" * 255, os.fsdecode(b"\xff\xfe"), "two\nlines", " ", "-rf", "ä", "%2e", "~", "\\"])
def test_names_can_hold_anything(home: Home, path: Path, name: str) -> None:
    home.make_directory(name)
    write(home, (name, name), b"data")
    assert home.listing(name)[name].size == 4
    home.copy(name, "copy")
    home.trash.restore(home.delete(f"copy/{name}"))
    home.move(f"copy/{name}", "moved")
    assert read(home, "moved") == b"data"
    home.remove(name)
    assert not os.path.lexists(path / name)


def test_a_name_of_256_bytes_is_too_long(home: Home) -> None:
    for operation in OPERATIONS.values():
        assert refusal(lambda act=operation: act(home, "ä" * 128)).kind == Kind.NAME_TOO_LONG


@pytest.mark.parametrize("length", [4094, 4095, 4096, 4097, 20_000])
def test_paths_as_long_as_one_likes(home: Home, length: int) -> None:
    names = ["d" * 200] * (length // 201)
    names.append("f" * (length - 201 * len(names)) or "f")
    for depth in range(1, len(names)):
        home.make_directory(names[:depth])
    write(home, names, b"deep")
    assert read(home, "/".join(names)) == b"deep"
    assert home.usage().bytes == 4
    home.copy(names[:1], "copy")
    assert read(home, ["copy", *names[1:]]) == b"deep"
    home.trash.restore(home.delete(names))
    home.move(names, "moved")
    assert read(home, "moved") == b"deep"
    home.remove(names[:1])
    assert home.listing().keys() == {"copy", "moved"}


def test_no_descriptor_is_left_open(home: Home, hostile: Path) -> None:
    def act_on_all() -> None:
        for operation, place in itertools.product(OPERATIONS.values(), ("docs/file", *LEADING_OUT, *BROKEN, *SPECIAL)):
            with suppress(FileError):
                operation(home, f"{place}/file")
            with suppress(FileError):
                operation(home, place)

    before = set(Path("/proc/self/fd").iterdir())
    act_on_all()
    assert set(Path("/proc/self/fd").iterdir()) == before


FILTERED = """
import ctypes, pathlib, struct, sys
from migrid.site.homes import FileError, Homes

LOAD, EQUAL, RETURN, ALLOW, ERROR, EPERM = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000, 1
program = b"".join(struct.pack("HBBI", *line) for line in (
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, 437), (RETURN, 0, 0, ERROR | EPERM), (RETURN, 0, 0, ALLOW)))
buffer = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer)))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, filter, 0, 0) == 0

with Homes(pathlib.Path(sys.argv[1])) as homes, homes.open("ada") as home:
    print(home.open("docs/inner/file").read().decode())
    for link in ("to_dir/file", "absolute/file", "relative"):
        try:
            home.stat(link)
        except FileError as error:
            print(error)
"""


def test_the_rule_holds_where_a_container_engine_filters_openat2(hostile: Path) -> None:
    program = [sys.executable, "-W", "ignore", "-c", FILTERED, hostile.parent]
    result = subprocess.run(program, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [
        "deep",
        "'/to_dir/file' leads through a symbolic link, which is not followed here",
        "'/absolute/file' leads through a symbolic link, which is not followed here",
        "'/relative' leads through a symbolic link, which is not followed here",
    ]
