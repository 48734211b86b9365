"""Locks and properties: whose they are, what they do, how long they last."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from dav_client import DN, HOST, LOCK, UPDATE, DavClient
from sample_site import SampleSite
from wsgidav.dav_error import DAVError

from migrid.site.configuration import load
from migrid.site.webdavs import store
from migrid.site.webdavs.application import Application
from migrid.site.webdavs.locks import Locks
from migrid.site.webdavs.store import Store

COLOUR = '<C:colour xmlns:C="https://example.org/">{}</C:colour>'


def paint(client: DavClient, path: str, colour: str = "red", **headers: str) -> int:
    """Give a property: the status of that."""
    answer = client.ask("PROPPATCH", path, UPDATE.format(COLOUR.format(colour)), **headers)
    found = re.search(r"HTTP/1.1 (\d+)", answer.text)
    return int(found[1]) if found else answer.status


def colour_of(client: DavClient, path: str) -> str | None:
    return client.property(path, "", COLOUR.format(""))


def test_a_lock_keeps_out_who_has_no_token(ada: DavClient) -> None:
    ada.status("PUT", "/file", b"1")
    token = ada.lock("/file")
    assert ada.status("PUT", "/file", b"lost") == ada.status("DELETE", "/file") == paint(ada, "/file") == 423
    assert ada.to("MOVE", "/file", "/moved") == ada.to("COPY", "/welcome.txt", "/file") == 423
    assert ada.status("LOCK", "/file", LOCK % b"shared") == 423
    assert ada.get("/file") == b"1"
    for condition in (f"({token})", f"<{HOST}/file> ({token})"):
        assert ada.status("PUT", "/file", b"2", If=condition) == 204
    assert ada.status("UNLOCK", "/file", Lock_Token=token) == 204
    assert ada.status("PUT", "/file", b"3") == 204


def test_a_locked_folder_keeps_what_is_in_it(ada: DavClient) -> None:
    ada.status("MKCOL", "/folder")
    ada.status("PUT", "/folder/file", b"1")
    token = ada.lock("/folder", Depth="infinity")
    assert ada.status("PUT", "/folder/file", b"2") == ada.status("PUT", "/folder/new", b"2") == 423
    assert ada.status("MKCOL", "/folder/new") == ada.status("LOCK", "/folder/file", LOCK % b"exclusive") == 423
    assert ada.status("LOCK", "/folder/new", LOCK % b"exclusive") == 423
    assert ada.status("HEAD", "/folder/new") == 404
    assert ada.status("PUT", "/folder/new", b"2", If=f"<{HOST}/folder/> ({token})") == 201
    assert token.strip("<>") in ada.ask("PROPFIND", "/folder/file", Depth="0").text
    assert ada.status("DELETE", "/folder", If=f"({token})") == 204
    assert ada.status("MKCOL", "/folder") == 201
    assert ada.status("PUT", "/folder/new", b"2") == 201


def test_a_flat_lock_keeps_the_list_of_a_folder_only(ada: DavClient) -> None:
    ada.status("MKCOL", "/folder")
    ada.status("PUT", "/folder/file", b"1")
    ada.lock("/folder", Depth="0")
    assert ada.status("PUT", "/folder/file", b"2") == 204
    assert ada.status("PUT", "/folder/new", b"2") == ada.status("DELETE", "/folder/file") == 423


def test_shared_locks_go_together(ada: DavClient) -> None:
    ada.lock("/file", b"shared")
    token = ada.lock("/file", b"shared")
    assert ada.status("LOCK", "/file", LOCK % b"exclusive") == 423
    assert ada.status("PUT", "/file", b"2") == 423
    assert token


def test_only_one_of_many_gets_an_exclusive_lock(site: SampleSite) -> None:
    clients = [DavClient(Application(load(site.conf))) for _ in range(8)]
    clients[0].status("PUT", "/file", b"1")
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda client=client: statuses.append(client.status("LOCK", "/file", LOCK % b"exclusive"))
        )
        for client in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [423] * 7


def test_locks_and_properties_are_the_users_own(ada: DavClient, bo: DavClient) -> None:
    for client in (ada, bo):
        client.status("PUT", "/file", b"1")
    token = ada.lock("/file")
    paint(ada, "/file", If=f"({token})")
    assert bo.status("PUT", "/file", b"2") == 204
    assert bo.status("UNLOCK", "/file", Lock_Token=token) == 409
    assert colour_of(bo, "/file") is None
    assert token.strip("<>") not in bo.ask("PROPFIND", "/file", Depth="0").text


def test_locks_and_properties_survive_a_restart(ada: DavClient, site: SampleSite) -> None:
    ada.status("PUT", "/file", b"1")
    paint(ada, "/file")
    token = ada.lock("/file")
    later = DavClient(Application(load(site.conf)))
    assert later.status("PUT", "/file", b"2") == 423
    assert later.status("PUT", "/file", b"2", If=f"({token})") == 204
    assert colour_of(later, "/file") == "red"


@pytest.mark.parametrize(("wanted", "seconds"), [(60, 60), (-1, 86400), (None, 86400), (4_100_000_000, 86400)])
def test_a_lock_ends_and_can_be_refreshed(tmp_path: Path, wanted: float | None, seconds: float) -> None:
    now = 1_000_000.0
    locks = Locks(Store(tmp_path, "ada"), lambda: now)
    asked: dict[str, Any] = {
        "url": "/file",
        "lock_scope": "exclusive",
        "lock_depth": "0",
        "lock_owner": b"",
        "principal": "",
    }
    token = locks.acquire(**asked, timeout=wanted)["token"]
    now += seconds - 1
    assert locks.get_url_lock_list("/file")[0]["timeout"] == 1
    locks.refresh(token, timeout=wanted)
    now += seconds - 1
    with pytest.raises(DAVError):
        locks.acquire(**asked, timeout=wanted)
    now += 1
    assert not locks.get_url_lock_list("/file")
    locks.acquire(**asked, timeout=wanted)


def test_a_lock_is_refreshed_by_its_token_only(ada: DavClient) -> None:
    token = ada.lock("/file")
    assert ada.status("LOCK", "/file", If=f"({token})", Timeout="Second-600") == 200
    assert ada.status("LOCK", "/file", If="(<urn:uuid:none>)") == 412


def test_windows_gives_a_file_its_time(ada: DavClient, home: Path) -> None:
    ada.status("PUT", "/file", b"1")
    windows = '<W:Win32{0} xmlns:W="urn:schemas-microsoft-com:">Sun, 06 Nov 1994 08:49:37 GMT</W:Win32{0}>'
    for name in ("LastModifiedTime", "CreationTime", "FileAttributes"):
        assert "200 OK" in ada.ask("PROPPATCH", "/file", UPDATE.format(windows.format(name))).text
    assert (home / "file").stat().st_mtime == 784111777
    other = "<D:getlastmodified>Sun, 06 Nov 1994 08:49:38 GMT</D:getlastmodified>"
    assert "200 OK" in ada.ask("PROPPATCH", "/file", UPDATE.format(other)).text
    assert (home / "file").stat().st_mtime == 784111778
    assert "200 OK" not in ada.ask("PROPPATCH", "/file", UPDATE.format("<D:getlastmodified>x</D:getlastmodified>")).text


def test_properties_go_with_the_file(ada: DavClient) -> None:
    ada.status("MKCOL", "/folder")
    ada.status("PUT", "/folder/file", b"1")
    assert paint(ada, "/folder/file") == 200
    ada.to("COPY", "/folder", "/copy")
    ada.to("MOVE", "/folder", "/moved")
    assert colour_of(ada, "/copy/file") == colour_of(ada, "/moved/file") == "red"
    ada.status("DELETE", "/copy")
    ada.status("MKCOL", "/copy")
    for path in ("/copy/file", "/folder"):
        ada.status("PUT", path, b"1")
        assert colour_of(ada, path) is None
    ada.status("PUT", "/moved/file", b"2")
    assert colour_of(ada, "/moved/file") == "red"


def test_one_user_cannot_fill_the_disk(ada: DavClient, bo: DavClient, site: SampleSite) -> None:
    ada.status("PUT", "/file", b"1")
    bo.status("PUT", "/file", b"1")
    big = "x" * 900_000
    statuses = []
    for number in range(6):
        ada.status("MKCOL", f"/{number}")
        statuses.append(paint(ada, f"/{number}", big))
    assert statuses[0] == 200
    assert statuses[-1] == 507
    assert sum(path.stat().st_size for path in (site.state / "davs_store").iterdir()) <= store.MOST_BYTES + (1 << 20)
    assert paint(bo, "/file") == 200
    assert ada.get("/file") == b"1"


def test_nothing_is_kept_of_a_user_who_is_removed_with_all_data(site: SampleSite, application: Application) -> None:
    eve = DN.format("eve")
    site.inside("createuser", "-i", eve, "--password-file", str(site.root / "password"))
    client = DavClient(application, login="eve@example.org")
    client.lock("/file")
    assert list((site.state / "davs_store").iterdir())
    site.inside("deleteuser", "-i", eve, "--remove-data", "--yes")
    assert not list((site.state / "davs_store").iterdir())


@pytest.mark.parametrize(
    "body",
    [
        b"no XML",
        b"<a/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><D:propfind xmlns:D="DAV:">&b;</D:propfind>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 100_000,
        b"<a>" * 100_000 + b"</a>" * 100_000,
        b"<D:propfind xmlns:D='DAV:'>" + b" " * (1 << 20) + b"</D:propfind>",
    ],
)
@pytest.mark.parametrize("method", ["PROPFIND", "PROPPATCH", "LOCK"])
def test_strange_xml_is_refused(ada: DavClient, home: Path, method: str, body: bytes) -> None:
    answer = ada.ask(method, "/welcome.txt", body, Depth="0")
    assert answer.status in (400, 413)
    assert "root:" not in answer.text
