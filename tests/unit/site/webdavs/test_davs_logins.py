"""Who gets in, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest
from dav_client import DN, PASSWORD, DavClient, basic
from sample_site import SampleSite

from migrid.site.webdavs.application import Application

ADA = DN.format("ada")
LIST = {"method": "PROPFIND", "path": "/", "Depth": "0"}


def log_of(site: SampleSite) -> list[str]:
    """What came of each attempt."""
    lines = (site.state / "log/auth.log").read_text(encoding="utf-8").splitlines()
    return [line.split()[-1] for line in lines]


@pytest.mark.parametrize("login", ["ada@example.org", "Ada@Example.ORG", ADA])
def test_alias_and_client_id_let_in(application: Application, home: Path, login: str) -> None:
    client = DavClient(application, login=login)
    assert client.status("PUT", "/file", b"1") == 201
    assert (home / "file").exists()


@pytest.mark.parametrize(
    "login", ["bo@example.org", "nobody@example.org", "root", "mig", "", "../ada@example.org", "."]
)
@pytest.mark.parametrize("password", ["Sample-Pass-02", "", PASSWORD + "\0", "x" * 5000])
def test_who_has_no_password_stays_out(application: Application, login: str, password: str) -> None:
    answer = DavClient(application, login=login, password=password).ask(**LIST)
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="MiG", charset="UTF-8"')


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic %%%", "Basic YWRh", "Bearer abc", "Digest username=ada", basic("ada", "").lower()]
)
def test_what_is_no_login_stays_out(ada: DavClient, header: str) -> None:
    assert ada.status(**LIST, AUTHORIZATION=header) == 401


def test_a_wrong_password_after_a_right_one_stays_out(
    application: Application, ada: DavClient, site: SampleSite
) -> None:
    for _ in range(3):
        assert ada.status(**LIST) == 207
    wrong = DavClient(application, password="Sample-Pass-02")
    assert [wrong.status(**LIST) for _ in range(3)] == [401] * 3
    assert ada.status(**LIST) == 207
    assert log_of(site) == ["granted", "wrong", "wrong", "wrong"]


def test_each_address_logs_in_for_itself(application: Application, ada: DavClient, site: SampleSite) -> None:
    assert ada.status(**LIST) == DavClient(application, address="198.51.100.7").status(**LIST) == 207
    assert log_of(site) == ["granted", "granted"]


def test_a_proof_ends_after_a_minute(site: SampleSite, ada: DavClient, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((0.0, 59.0, 61.0, 61.0, 62.0))
    monkeypatch.setattr(ada.application._door, "_clock", lambda: next(clock))
    for _ in range(4):
        assert ada.status(**LIST) == 207
    assert log_of(site) == ["granted", "granted"]


@pytest.mark.parametrize(
    ("change", "back"),
    [
        (["--state", "suspended"], ["--state", "present"]),
        (["--expire", "2020-01-01"], ["--expire", "never"]),
        (["--service-access", "davs=no"], ["--service-access", "davs=yes"]),
    ],
)
def test_who_may_not_any_more_is_out_at_once(
    site: SampleSite, ada: DavClient, change: list[str], back: list[str]
) -> None:
    for _ in range(2):
        assert ada.status(**LIST) == 207
        site.inside("edituser", "-i", ADA, *change)
        assert ada.status(**LIST) == 401
        site.inside("edituser", "-i", ADA, *back)
        assert ada.status(**LIST) == 207


def test_the_old_password_is_out_at_once(site: SampleSite, ada: DavClient, tmp_path: Path) -> None:
    assert ada.status(**LIST) == 207
    for password, old in (("Sample-Pass-02", 401), (PASSWORD, 207)):
        (tmp_path / "new").write_text(password, encoding="utf-8")
        site.inside("edituser", "-i", ADA, "--password-file", str(tmp_path / "new"))
        assert ada.status(**LIST) == old


def test_guessing_gets_slower_and_locks_nobody_else_out(
    application: Application, ada: DavClient, bo: DavClient
) -> None:
    assert ada.status(**LIST) == 207
    stranger = DavClient(application, address="198.51.100.7")
    statuses = set()
    for number in range(20):
        stranger.password = f"Guess-Pass-{number}"
        answer = stranger.ask(**LIST)
        statuses.add(answer.status)
    assert statuses == {401, 429}
    assert int(answer.headers["Retry-After"]) >= 1
    assert ada.status(**LIST) == bo.status(**LIST) == 207


def test_without_the_user_store_nobody_gets_in(site: SampleSite, ada: DavClient, tmp_path: Path) -> None:
    assert ada.status(**LIST) == 207
    store = site.state / "user_db_home/MiG-users.db"
    store.rename(tmp_path / "away")
    try:
        store.write_text("no database")
        answer = ada.ask(**LIST)
        assert answer.status == 503
        assert str(store) not in answer.text
    finally:
        (tmp_path / "away").rename(store)
