"""The portal, asked as Apache asks it."""

from __future__ import annotations

import html
import io
import os
import re
import zipfile
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from portal_browser import ADA, BO, Browser
from sample_site import SampleSite
from werkzeug.test import TestResponse

from migrid.site.configuration import load
from migrid.site.portal.application import build

NO_TEXT = b"\xff\xfe".decode(errors="surrogateescape")
STRANGE_NAMES = ["a b", "æøå 漢字", "50%", "a%2fb", "<b>&\"'", "line\nbreak", NO_TEXT]


@pytest.fixture
def home(sample_site: SampleSite, client: FlaskClient) -> Path:
    return (sample_site.state / "user_home/ada@example.org").resolve()


def names_on(page: TestResponse) -> list[str]:
    link = r'<a(?: class="folder")? href="/wsgi-bin/(?:cat|fileman)\.py\?path=[^"]*">([^<]*)</a>\n</td>'
    return re.findall(link, page.text)


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != ".trash")


def test_the_dashboard_says_who_you_are_and_how_you_came_in(ada: Browser) -> None:
    page = ada.get("dashboard.py").text
    assert "Welcome, Ada Example" in page
    assert ADA in page
    assert "You came in with your login and password." in page
    assert "ada@example.org" in page


def test_the_dashboard_says_how_to_connect(sample_site: SampleSite, client: FlaskClient) -> None:
    names = [f"user_{service}_address = io.example.org" for service in ("sftp", "ftps", "davs")]
    ports = ["user_sftp_show_port = 22", "user_ftps_show_ctrl_port = 21", "user_davs_show_port = 443"]
    sample_site.configure("\n".join([*names, *ports]), "enable_ftps = True\nenable_davs = True")
    page = Browser(build(load(sample_site.conf)).test_client(), ADA).get("dashboard.py").text
    assert "sftp -P 22 ada@example.org@io.example.org" in page
    assert "-u ada@example.org ftp://io.example.org:21/" in page
    assert "curl --ssl-reqd --user ada@example.org" in page
    assert "<code>https://io.example.org/</code>" in page
    assert "curl --user ada@example.org --upload-file FILE https://io.example.org/" in page


def test_the_dashboard_leads_to_what_the_operator_wrote(sample_site: SampleSite, client: FlaskClient) -> None:
    def dashboard(*site: str) -> str:
        sample_site.configure("", "\n".join(site))
        return Browser(build(load(sample_site.conf)).test_client(), ADA).get("dashboard.py").text

    assert "Safety" not in (plain := dashboard())
    assert "How to use" not in plain
    text = "datasafety_text = Kept once & <never> copied"
    assert "<dd>Kept once &amp; &lt;never&gt; copied</dd>" in dashboard(text)
    page = dashboard(
        text, "datasafety_link = https://a.example.org/x?y=1&z", "external_doc = https://b.example.org/wiki"
    )
    assert '<a href="https://a.example.org/x?y=1&amp;z">Kept once' in page
    assert '<a href="https://b.example.org/wiki">How to use this site</a>' in page


def test_a_browser_session_is_one_line_in_the_log(ada: Browser, sample_site: SampleSite) -> None:
    for _ in range(3):
        assert ada.get("dashboard.py").status_code == 200
    [line] = (sample_site.state / "log/auth.log").read_text().splitlines()
    assert "web migoidc" in line
    assert "granted" in line


def test_who_logs_out_is_sent_to_the_provider(ada: Browser, client: FlaskClient) -> None:
    answer = ada.get("logout.py")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/oidc/callback?logout=")


def test_a_stranger_gets_a_page_that_says_the_name(client: FlaskClient) -> None:
    page = Browser(client, ADA.replace("Ada", "Eve")).get("dashboard.py")
    assert page.status_code == 403
    assert "CN=Eve Example" in page.text
    assert "no account of this name" in page.text


@pytest.mark.parametrize("method", ["", "password", "nonsense"])
def test_a_virtual_host_without_logins_lets_nobody_in(client: FlaskClient, method: str) -> None:
    assert Browser(client, ADA, method).get("dashboard.py").status_code == 403


def test_a_suspended_user_is_out_at_the_next_page(ada: Browser, sample_site: SampleSite) -> None:
    assert ada.get("dashboard.py").status_code == 200
    sample_site.inside("edituser", "-i", ADA, "--state", "suspended")
    assert ada.get("dashboard.py").status_code == 403


def test_a_session_that_somebody_else_began_is_never_gone_on_with(client: FlaskClient, ada: Browser) -> None:
    Browser(client, BO).get("dashboard.py")
    planted = client.get_cookie("__Host-migrid", domain="grid.example.org")
    assert planted
    ada.get("dashboard.py")
    own = client.get_cookie("__Host-migrid", domain="grid.example.org")
    assert own
    assert own.value != planted.value


def test_a_style_sheet_of_the_site_comes_after_ours(sample_site: SampleSite, client: FlaskClient) -> None:
    sample_site.configure("", "static_css = /assets/skin.css")
    page = Browser(build(load(sample_site.conf)).test_client(), ADA).get("dashboard.py").text
    assert page.index("portal.css") < page.index('<link rel="stylesheet" href="/assets/skin.css">')


def test_the_cookie_of_one_user_is_none_of_another(client: FlaskClient, ada: Browser, sample_site: SampleSite) -> None:
    assert ada.get("dashboard.py").status_code == 200
    assert "Welcome, Bo Example" in Browser(client, BO).get("dashboard.py").text
    assert len((sample_site.state / "log/auth.log").read_text().splitlines()) == 2


def test_every_page_is_kept_apart(ada: Browser) -> None:
    for page in ("dashboard.py", "fileman.py", "trash.py", "nowhere.py"):
        headers = ada.get(page).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("page", ["mkdir.py", "rm.py", "mv.py", "upload.py", "restore.py", "empty.py"])
def test_a_form_of_another_site_changes_nothing(ada: Browser, home: Path, page: str) -> None:
    ada.get("fileman.py")
    fields = {"form_token": "0" * 64, "name": "welcome.txt", "target": "x", "file": (io.BytesIO(b"x"), "new.txt")}
    assert ada.post(page, fields).status_code == 403
    assert names_in(home) == ["welcome.txt"]


def test_a_file_goes_up_and_comes_down_as_it_was(ada: Browser, home: Path) -> None:
    content = os.urandom(400_000)
    page = ada.shown_after(ada.post("upload.py", {"file": (io.BytesIO(content), "data.bin")}))
    assert "data.bin is there." in page
    assert (home / "data.bin").read_bytes() == content
    down = ada.get("cat.py?path=data.bin")
    assert down.data == content
    assert down.headers["Content-Disposition"].startswith("attachment;")
    assert down.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in down.headers["Content-Security-Policy"]


def test_several_files_go_up_at_once(ada: Browser, home: Path) -> None:
    files = [(io.BytesIO(b"1"), "one.txt"), (io.BytesIO(b"2"), "two.txt")]
    assert ada.post("upload.py", {"file": files}).status_code == 303
    assert {"one.txt", "two.txt"} <= set(names_in(home))


def test_a_part_of_a_file_can_be_asked_for(ada: Browser, home: Path) -> None:
    (home / "text").write_bytes(b"0123456789")
    part = ada.get("cat.py?path=text", headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.data) == (206, b"345")
    assert part.headers["Content-Range"] == "bytes 3-5/10"


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("text", {}, 200),
        ("text", {"Range": "bytes=3-5"}, 206),
        ("text", {"Range": "bytes=20-"}, 416),
        ("text", {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304),
        ("missing", {}, 404),
        ("out", {}, 403),
        (".", {}, 403),
    ],
)
def test_a_file_is_the_same_on_the_first_visit_and_later(
    ada: Browser, home: Path, path: str, header: dict[str, str], status: int
) -> None:
    (home / "text").write_bytes(b"0123456789")
    (home / "out").symlink_to("/etc/passwd")
    first, later = (ada.get(f"cat.py?path={path}", headers=header) for _ in range(2))
    assert "Set-Cookie" in first.headers
    assert "Set-Cookie" not in later.headers
    assert later.status_code == first.status_code == status
    assert later.data == first.data
    assert {**later.headers, "Set-Cookie": ""} == {**first.headers, "Set-Cookie": ""}
    assert later.headers["Cache-Control"] == "no-store"


def test_a_suspended_user_gets_no_more_files(ada: Browser, home: Path, sample_site: SampleSite) -> None:
    (home / "text").write_bytes(b"0123456789")
    assert [ada.get("cat.py?path=text").status_code for _ in range(2)] == [200, 200]
    sample_site.inside("edituser", "-i", ADA, "--state", "suspended")
    assert ada.get("cat.py?path=text").status_code == 403


def test_the_script_uploads_with_put(ada: Browser, home: Path) -> None:
    assert ada.put("upload.py?path=a%2525b.txt", b"text").status_code == 201
    assert (home / "a%b.txt").read_bytes() == b"text"
    assert ada.put("upload.py?path=a%2525b.txt", b"other").status_code == 409
    assert (home / "a%b.txt").read_bytes() == b"text"


def test_an_upload_that_breaks_off_leaves_nothing(ada: Browser, home: Path) -> None:
    token = ada.form_token
    body = (
        b'--x\r\nContent-Disposition: form-data; name="form_token"\r\n\r\n' + token.encode() + b"\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="cut.bin"\r\n\r\n' + b"y" * 200_000
    )
    answer = ada.send("POST", "upload.py", data=body, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400
    assert names_in(home) == ["welcome.txt"]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_every_name_can_be_listed_opened_moved_and_deleted(ada: Browser, home: Path, name: str) -> None:
    (home / name).write_bytes(b"content")
    (home / "folder").mkdir()
    page = ada.get("fileman.py").text
    [link] = [found for found in re.findall(r'href="([^"]*cat\.py[^"]*)"', page) if "welcome" not in found]
    assert ada.get(unescaped(link)).data == b"content"
    fields = set(re.findall(r'name="name" value="([^"]*)"', page))
    [field] = fields - {"folder", "welcome.txt"}
    moved = ada.post("mv.py", {"path": "", "name": unescaped(field), "target": "folder"})
    assert moved.status_code == 303
    assert names_in(home / "folder") == [name]
    assert ada.post("rm.py", {"path": "folder", "name": unescaped(field)}).status_code == 303
    assert names_in(home / "folder") == []


def unescaped(text: str) -> str:
    return html.unescape(text).removeprefix("/wsgi-bin/")


def test_what_was_deleted_comes_back(ada: Browser, home: Path) -> None:
    (home / "folder").mkdir()
    (home / "folder/file").write_text("content")
    page = ada.shown_after(ada.post("rm.py", {"path": "", "name": "folder"}))
    assert "folder is in the trash." in page
    [identifier] = re.findall(r'name="undo" value="([0-9a-f]+)"', page)
    assert "folder" not in names_in(home)
    assert "/folder" in ada.get("trash.py").text
    assert "folder is back." in ada.shown_after(ada.post("restore.py", {"undo": identifier}))
    assert (home / "folder/file").read_text() == "content"


def test_a_folder_comes_down_as_an_archive(ada: Browser, home: Path) -> None:
    (home / "top/below").mkdir(parents=True)
    (home / "top/one").write_bytes(b"1" * 2_000_000)
    (home / "top/below/zwei æ").write_bytes(b"2")
    (home / "top/out").symlink_to("/etc")
    (home / "top/passwd").symlink_to("/etc/passwd")
    os.mkfifo(home / "top/fifo")
    found = zipfile.ZipFile(io.BytesIO(ada.get("zip.py?path=top").data))
    assert found.testzip() is None
    assert sorted(found.namelist()) == ["top/below/zwei æ", "top/one"]
    assert found.read("top/one") == b"1" * 2_000_000


@pytest.mark.parametrize("path", ["../bo@example.org/welcome.txt", "out/passwd", "secret", ".ssh/keys", "a/./b", "%00"])
def test_no_path_leads_out(ada: Browser, home: Path, path: str) -> None:
    (home / "out").symlink_to("/etc")
    (home / "secret").symlink_to("/etc/passwd")
    answer = ada.get(f"cat.py?path={path}")
    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text


def test_folders_come_first_in_the_order_asked_for(ada: Browser, home: Path) -> None:
    (home / "z").mkdir()
    (home / "b").write_bytes(b"12345")
    (home / "a").write_bytes(b"1")
    assert names_on(ada.get("fileman.py")) == ["z", "a", "b", "welcome.txt"]
    assert names_on(ada.get("fileman.py?sort=size")) == ["z", "a", "b", "welcome.txt"]
    assert names_on(ada.get("fileman.py?sort=size&order=down")) == ["z", "welcome.txt", "b", "a"]


def test_what_is_there_already_is_not_overwritten(ada: Browser, home: Path) -> None:
    (home / "taken").write_text("mine")
    answers = [
        ada.post("mkdir.py", {"path": "", "name": "taken"}),
        ada.post("mv.py", {"path": "", "name": "welcome.txt", "target": "taken"}),
        ada.post("upload.py", {"file": (io.BytesIO(b"x"), "taken")}),
    ]
    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert "exists already" in answers[0].text
    assert (home / "taken").read_text() == "mine"


def test_a_redirect_leads_nowhere_else(ada: Browser) -> None:
    for path in ("//evil.example", "https://evil.example/", "\\\\evil.example"):
        answer = ada.post("mkdir.py", {"path": path, "name": "x"})
        location = answer.headers.get("Location", "/wsgi-bin/")
        assert location.startswith("/wsgi-bin/")
