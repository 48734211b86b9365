"""Host accounts: what is published, and what a user store that somebody tampered with cannot do."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sample_site import ACCOUNT, SampleSite
from test_reconcile import ADA, ADA_DIR, BO, HASH, KEY, Site

from migrid.site.accounts import Account, is_published, publish
from migrid.site.errors import HomeError, StoreError
from migrid.site.store import UserStore


@pytest.fixture
def site(sample_site: SampleSite) -> Site:
    return Site(sample_site)


def tamper(site: Site, statement: str, *values: object) -> None:
    """Do what the account `mig` can do to its file; all accounts are published anew after that."""
    os.seteuid(ACCOUNT)
    try:
        connection = sqlite3.connect(site.sample.state / "user_db_home" / "MiG-users.db")
        connection.execute(statement, values)
        connection.commit()
        connection.close()
    finally:
        os.seteuid(0)
    (site.sample.accounts / "generation").unlink()


def test_files_have_the_rights_that_their_readers_need(site: Site) -> None:
    site.apply({**ADA, "public_keys": [KEY]})
    rights = {
        path.name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_gid)
        for path in site.sample.accounts.rglob("*")
    }
    assert rights == {
        "passwd": (0o644, 0, 0),
        "group": (0o644, 0, 0),
        "generation": (0o644, 0, 0),
        "keys": (0o750, 0, ACCOUNT),
        "ada@example.org": (0o640, 0, ACCOUNT),
    }


def test_who_may_come_in_is_not_decided_here(site: Site) -> None:
    site.apply(
        {**ADA, "public_keys": [KEY], "state": "suspended", "expire": "2020-01-01"},
        {**BO, "public_keys": [KEY], "services": {"sftp": {"enabled": False}}},
    )
    assert (site.logins(), site.keys()) == ({"ada@example.org", "bo"},) * 2
    site.apply({**ADA, "state": "absent"})
    assert (site.logins(), site.keys()) == ({"bo"},) * 2


def test_no_password_is_published(site: Site) -> None:
    (site.sample.accounts / "shadow").write_text(f"bo:{HASH}:::::::\n")
    site.apply({**ADA, "password_hash": HASH}, {**BO, "services": {"sftp": {"password_hash": HASH}}})
    published = [path for path in site.sample.accounts.rglob("*") if path.is_file()]
    assert not [path for path in published if "$" in path.read_text(encoding="utf-8")]


def test_sftp_has_the_keys_of_its_own(site: Site) -> None:
    other = f"{KEY} laptop"
    site.apply(
        {**ADA, "services": {"sftp": {"public_keys": [KEY]}, "davs": {"password_hash": HASH}}},
        {**BO, "public_keys": [KEY], "services": {"sftp": {"public_keys": [other]}}},
    )
    assert (site.published("keys/ada@example.org"), site.published("keys/bo")) == ([KEY], [other])


def test_nothing_is_published_where_nobody_reads_it(site: Site) -> None:
    site.sample.accounts.rmdir()
    assert not site.apply(ADA).published
    assert not site.sample.accounts.exists()
    site.sample.accounts.mkdir()
    outcome = site.apply(ADA)
    assert (outcome.changes, outcome.published) == ([], True)
    assert site.logins() == {"ada@example.org"}


@pytest.mark.parametrize("lost", ["passwd", "generation"])
def test_lost_files_are_written_again(site: Site, lost: str) -> None:
    site.apply({**ADA, "password_hash": HASH, "public_keys": [KEY]}, BO)
    before = site.published(), site.keys()
    (site.sample.accounts / lost).unlink()
    assert site.apply().published
    assert (site.published(), site.keys()) == before


def test_step_by_step_and_all_at_once_are_the_same(site: Site, tmp_path: Path) -> None:
    site.apply({**ADA, "public_keys": [KEY]}, BO, {"full_name": "Cy", "email": "cy@example.org"})
    site.apply({**BO, "alias": "bob", "public_keys": [KEY]})
    site.apply(
        {**ADA, "state": "suspended"}, {**BO, "alias": "bob", "services": {"sftp": {"public_keys": [f"{KEY} x"]}}}
    )
    site.apply({"full_name": "Cy", "email": "cy@example.org", "state": "absent"})
    site.apply({"full_name": "Di", "email": "di@example.org", "password_hash": HASH})
    with UserStore(site.sample.state / "user_db_home" / "MiG-users.db", read_only=True) as store:
        account = Account(ACCOUNT, ACCOUNT, site.homes)
        assert publish(store, account, tmp_path).changed
        assert is_published(store, account, tmp_path)
        assert not is_published(store, account._replace(uid=ACCOUNT + 1), tmp_path)
    assert sorted(site.published()) == sorted((tmp_path / "passwd").read_text(encoding="utf-8").splitlines())
    assert site.keys() == {path.name for path in (tmp_path / "keys").iterdir()} == {"ada@example.org", "bob"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("alias", "root"),
        ("alias", "eve:x:0:0::/:/bin/sh\neve2"),
        ("alias", "../../evil"),
        ("alias", "Eve"),
        ("alias", b"eve:\n"),
        ("alias", ""),
        ("client_dir", "../../../root"),
        ("client_dir", "+C=DK/../.."),
        ("client_dir", "+C=DK:/bin/sh"),
        ("client_dir", "+C=DK\neve:x:0:0::/:/bin/sh"),
        ("client_dir", ""),
        ("public_keys", f'command="sh" {KEY}'),
        ("public_keys", f"{KEY}\nenvironment=x {KEY}"),
        ("public_keys", "# comment"),
    ],
)
def test_tampered_values_keep_their_user_out(site: Site, column: str, value: object) -> None:
    site.apply({**ADA, "public_keys": [KEY]}, BO)
    tamper(site, f"UPDATE users SET {column} = ? WHERE alias = 'ada@example.org'", value)  # noqa: S608
    outcome = site.apply()
    assert len(outcome.refused) == 1
    assert "is not published: " in outcome.refused[0]
    assert "\n" not in outcome.refused[0]
    assert site.logins() == {"bo"}
    assert site.keys() == set()


def test_an_alias_that_became_a_system_account_is_withdrawn(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.apply(BO)
    host_accounts = site.sample.root / "passwd"
    host_accounts.write_text("bo:x:999:999::/:/bin/sh\n", encoding="utf-8")
    monkeypatch.setattr("migrid.site.accounts.HOST_ACCOUNTS", host_accounts)
    outcome = site.apply({**BO, "comment": "changed"})
    assert "this host has a system account of that name" in outcome.refused[0]
    assert site.logins() == set()


def test_a_forged_freed_alias_removes_no_file_elsewhere(site: Site) -> None:
    site.apply({**ADA, "public_keys": [KEY]})
    precious = site.sample.root / "precious"
    precious.touch()
    stamp = (site.sample.accounts / "generation").read_text(encoding="utf-8")
    tamper(site, "INSERT INTO freed_aliases VALUES (?, 99)", "../../precious")
    (site.sample.accounts / "generation").write_text(stamp, encoding="utf-8")
    site.apply({**ADA, "comment": "changed"})
    assert precious.exists()


def test_tampered_keys_of_sftp_keep_their_user_out(site: Site) -> None:
    site.apply({**ADA, "services": {"sftp": {"public_keys": [KEY]}}}, BO)
    tamper(site, "UPDATE credentials SET public_keys = ?", f'command="sh" {KEY}')
    assert len(site.apply().refused) == 1
    assert (site.logins(), site.keys()) == ({"bo"}, set())


def test_text_that_is_none_stops_the_publication(site: Site) -> None:
    site.apply(ADA, BO)
    tamper(site, "UPDATE users SET alias = CAST(? AS TEXT) WHERE alias = 'bo'", b"b\xff")
    with pytest.raises(StoreError, match="Could not decode"):
        site.apply()
    assert site.logins() == {"ada@example.org", "bo"}


def test_a_forged_directory_does_not_move_the_home_of_another(site: Site) -> None:
    site.apply(ADA)
    tamper(site, "UPDATE users SET client_dir = '../outside'")
    with pytest.raises(HomeError, match="is not the name of a home"):
        site.apply({**ADA, "comment": "changed"})
    assert (site.homes / ADA_DIR).is_dir()
