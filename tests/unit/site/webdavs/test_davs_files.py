"""What a WebDAV client does with files and folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dav_client import HOST, DavClient

CONTENT = bytes(range(256)) * 16
STRANGE_NAMES = ["a b", "æøå 漢字", "50%", "a%2fb", "a;b", "a?b=c", "a#b", "<b>&\"'", "line\nbreak", "\x01", "x" * 255]


def test_a_file_comes_back_as_it_went(ada: DavClient, home: Path) -> None:
    answer = ada.ask("PUT", "/file", CONTENT)
    assert (answer.status, answer.data) == (201, b"")
    assert (home / "file").read_bytes() == ada.get("/file") == CONTENT
    assert answer.headers["ETag"] == ada.ask("HEAD", "/file").headers["ETag"] == f"{ada.property('/file', 'getetag')}"
    assert ada.status("PUT", "/file", b"shorter") == 204
    assert ada.get("/file") == b"shorter"
    assert ada.ask("HEAD", "/file").headers["Content-Length"] == "7"


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_any_name_can_be_used_for_all(ada: DavClient, home: Path, name: str) -> None:
    assert ada.status("MKCOL", f"/{name}") == 201
    assert ada.status("PUT", f"/{name}/{name}", CONTENT) == 201
    assert ada.get(f"/{name}/{name}") == CONTENT
    assert len(ada.names(f"/{name}")) == 1
    assert ada.to("COPY", f"/{name}", f"/2{name[1:]}") == 201
    assert ada.to("MOVE", f"/2{name[1:]}/{name}", f"/{name}/3{name[1:]}") == 201
    token = ada.lock(f"/{name}/{name}")
    assert ada.status("DELETE", f"/{name}") == 423
    assert ada.status("DELETE", f"/{name}/{name}", If=f"({token})") == 204
    assert [entry.name for entry in (home / name).iterdir()] == [f"3{name[1:]}"]


def test_a_name_that_is_not_utf8_is_no_obstacle(ada: DavClient, home: Path) -> None:
    Path(os.fsdecode(os.fsencode(home) + b"/folder/\xff\xfe")).parent.mkdir()
    Path(os.fsdecode(os.fsencode(home) + b"/folder/\xff\xfe")).write_bytes(CONTENT)
    (home / "folder/beside").touch()
    assert ada.names("/folder") == {"/folder/beside"}
    assert ada.get(b"/folder/\xff\xfe") == CONTENT
    assert ada.to("COPY", "/folder", "/copy") == 201
    assert ada.to("MOVE", "/folder", "/moved") == 201
    assert ada.get(b"/copy/\xff\xfe") == ada.get(b"/moved/\xff\xfe") == CONTENT
    assert ada.status("DELETE", "/moved") == 204


def test_a_folder_of_5000_files_is_listed(ada: DavClient, home: Path) -> None:
    (home / "many").mkdir()
    for number in range(5000):
        (home / f"many/{number}").touch()
    assert ada.names("/many") == {f"/many/{number}" for number in range(5000)}


def test_a_path_of_4096_bytes(ada: DavClient) -> None:
    path = ""
    while len(path) < 4096:
        path += "/" + "d" * 200
        assert ada.status("MKCOL", path) == 201
    assert ada.status("PUT", f"{path}/file", CONTENT) == 201
    assert ada.get(f"{path}/file") == CONTENT
    assert ada.status("DELETE", "/" + "d" * 200) == 204


@pytest.mark.parametrize(
    ("header", "status", "expected"),
    [
        ("bytes=0-0", 206, CONTENT[:1]),
        ("bytes=10-19", 206, CONTENT[10:20]),
        ("bytes=4000-", 206, CONTENT[4000:]),
        ("bytes=-5", 206, CONTENT[-5:]),
        ("bytes=4000-9999", 206, CONTENT[4000:]),
        ("bytes=0-1,5-6", 200, CONTENT),
        ("bytes=9-1", 200, CONTENT),
        ("lines=0-1", 200, CONTENT),
    ],
)
def test_a_part_of_a_file(ada: DavClient, home: Path, header: str, status: int, expected: bytes) -> None:
    (home / "file").write_bytes(CONTENT)
    answer = ada.ask("GET", "/file", Range=header)
    assert (answer.status, answer.data) == (status, expected)
    if status == 206:
        assert answer.headers["Content-Range"].endswith("/4096")


def test_a_part_that_is_not_there(ada: DavClient, home: Path) -> None:
    (home / "file").write_bytes(CONTENT)
    answer = ada.ask("GET", "/file", Range="bytes=4096-")
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */4096")


def test_a_download_goes_on_only_with_the_same_file(ada: DavClient, home: Path) -> None:
    (home / "file").write_bytes(CONTENT)
    first = ada.ask("HEAD", "/file").headers
    for same in (first["ETag"], first["Last-Modified"]):
        assert ada.status("GET", "/file", Range="bytes=9-", If_Range=same) == 206
    os.utime(home / "file", (1, 1))
    for other in (first["ETag"], first["Last-Modified"], f"W/{first['ETag']}", "yesterday"):
        assert ada.status("GET", "/file", Range="bytes=9-", If_Range=other) == 200


def test_conditions_of_uploads_and_downloads(ada: DavClient) -> None:
    etag = ada.ask("PUT", "/file", CONTENT, If_None_Match="*").headers["ETag"]
    assert ada.status("PUT", "/file", b"lost", If_None_Match="*") == 412
    assert ada.status("PUT", "/file", b"lost", If_Match='"other"') == 412
    assert ada.status("PUT", "/none", b"lost", If_Match="*") == 412
    assert ada.status("PUT", "/file", b"lost", If='(["other"])') == 412
    assert ada.status("PUT", "/file", b"lost", If=f'<{HOST}/file> (["other"])') == 412
    unchanged = ada.ask("GET", "/file", If_None_Match=etag)
    assert (unchanged.status, unchanged.headers["ETag"], unchanged.data) == (304, etag, b"")
    assert ada.get("/file") == CONTENT
    assert ada.status("PUT", "/file", b"newer", If_Match=etag) == 204
    assert ada.status("GET", "/none") == 404


def test_an_upload_that_is_interrupted_leaves_what_was_there(ada: DavClient, home: Path) -> None:
    (home / "file").write_bytes(CONTENT)
    answer = ada.ask("PUT", "/file", b"half", CONTENT_LENGTH="8")
    assert answer.status == 400
    assert ada.get("/file") == CONTENT
    assert {entry.name for entry in home.iterdir()} == {"file", "welcome.txt"}
    assert ada.status("PUT", "/file", b"part", Content_Range="bytes 0-3/8") == 400


def test_what_cannot_be_done_says_so(ada: DavClient, home: Path) -> None:
    (home / "folder").mkdir()
    for status, method, path in [
        (409, "PUT", "/none/file"),
        (409, "PUT", "/welcome.txt/file"),
        (405, "PUT", "/folder"),
        (403, "GET", "/folder"),
        (409, "MKCOL", "/none/folder"),
        (405, "MKCOL", "/folder"),
        (404, "DELETE", "/none"),
        (403, "DELETE", "/"),
        (405, "POST", "/file"),
        (405, "PATCH", "/file"),
    ]:
        answer = ada.ask(method, path)
        assert answer.status == status, (method, path)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert len(answer.text) > 1


def test_copies_and_moves_replace_only_when_asked(ada: DavClient, home: Path) -> None:
    for method in ("COPY", "MOVE"):
        (home / "from/inner").mkdir(parents=True, exist_ok=True)
        (home / "from/inner/file").write_text(method)
        assert ada.to(method, "/from", "/to", Overwrite="F") == 201
        (home / "from").mkdir(exist_ok=True)
        (home / "from/other").write_text("other")
        assert ada.to(method, "/from", "/to", Overwrite="F") == 412
        assert (home / "to/inner/file").read_text() == method
        assert ada.to(method, "/from", "/to") == 204
        assert (home / "to/other").exists()
        assert (home / "from").exists() == (method == "COPY")
        assert ada.status("DELETE", "/to") == 204
    (home / "from").mkdir()
    (home / "from/file").touch()
    assert ada.to("COPY", "/from", "/flat", Depth="0") == 201
    assert not list((home / "flat").iterdir())


def test_a_folder_is_not_lost_when_its_own_content_takes_its_place(ada: DavClient, home: Path) -> None:
    (home / "folder").mkdir()
    (home / "folder/file").write_bytes(CONTENT)
    assert ada.to("MOVE", "/folder/file", "/folder") >= 400
    assert ada.to("MOVE", "/folder", "/folder/below") == 403
    assert ada.get("/folder/file") == CONTENT


@pytest.mark.parametrize(
    "target", ["https://elsewhere.example.org/x", "http://io.grid.example.org:4443/x", "ftp:x", ""]
)
def test_nothing_is_copied_to_elsewhere(ada: DavClient, target: str) -> None:
    assert ada.status("COPY", "/welcome.txt", Destination=target) >= 400
    assert ada.names() == {"/welcome.txt"}


def test_what_a_browser_gets_is_only_data(ada: DavClient, home: Path) -> None:
    (home / "page.html").write_text("<script>alert(1)</script>")
    answer = ada.ask("GET", "/page.html")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''page.html"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    for method, path in (("GET", "/<script>"), ("PROPFIND", "/"), ("MKCOL", "/welcome.txt")):
        answer = ada.ask(method, path, Depth="0")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer.headers["Content-Type"]


def test_space_is_told_to_who_asks(ada: DavClient, home: Path) -> None:
    found = os.statvfs(home)
    total = found.f_blocks * found.f_frsize
    free, used = (int(text) for text in ada.properties("/", "quota-available-bytes", "quota-used-bytes"))
    assert free + used == total
    assert "quota" not in ada.ask("PROPFIND", "/", Depth="0").text


def test_options_name_the_classes(ada: DavClient) -> None:
    answer = ada.ask("OPTIONS", "/")
    assert (answer.status, answer.headers["DAV"], answer.headers["MS-Author-Via"]) == (200, "1,2", "DAV")
    assert {"PROPFIND", "LOCK", "MOVE"} <= {method.strip() for method in answer.headers["Allow"].split(",")}


def test_a_whole_tree_is_not_listed_at_once(ada: DavClient) -> None:
    answer = ada.ask("PROPFIND", "/", Depth="infinity")
    assert answer.status == 403
    assert "propfind-finite-depth" in answer.text
