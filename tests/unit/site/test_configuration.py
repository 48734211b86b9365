"""MiGserver.conf as it is read: what is accepted, what is refused and how the refusal reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migrid.site.configuration import load
from migrid.site.errors import ConfigurationError

REQUIRED = "[GLOBAL]\nserver_fqdn = grid.example.org\nstate_path = /home/mig/state\n"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "MiGserver.conf"


def test_two_keys_are_enough(conf: Path) -> None:
    conf.write_text(REQUIRED)
    site = load(conf)
    assert site.user_home == Path("/home/mig/state/user_home")
    assert site.user_db_path == Path("/home/mig/state/user_db_home/MiG-users.db")
    assert site.mig_server_id == "grid.example.org.0"
    assert site.user_sftp_port == 2222
    assert site.enable_sftp is False
    assert site.welcome_text == ""


def test_values_refer_to_other_keys_of_their_section(conf: Path) -> None:
    conf.write_text(f"{REQUIRED}user_home = %(state_path)s/homes/\nmig_path = /srv/%%grid\n")
    site = load(conf)
    assert site.user_home == Path("/home/mig/state/homes")
    assert site.mig_server_home == Path("/srv/%grid/server")


def test_values_have_their_types(conf: Path) -> None:
    conf.write_text(
        f"""{REQUIRED}
# comment
support_email =
admin_email = root, Grid Admin <admin@example.org>
migserver_https_sid_url = https://sid.grid.example.org:4443/
USER_SFTP_PORT: 22
user_sftp_address = 2001:DB8::1
loglevel = DEBUG
[SITE]
title = Prøve & Søn's Grid
enable_sftp = yes
password_policy = CUSTOM:12:4
"""
    )
    site = load(conf)
    assert site.support_email is None
    assert site.admin_email == "root, Grid Admin <admin@example.org>"
    assert site.migserver_https_sid_url == "https://sid.grid.example.org:4443/"
    assert (site.user_sftp_port, site.user_sftp_address) == (22, "2001:db8::1")
    assert (site.loglevel, site.title, site.enable_sftp) == ("debug", "Prøve & Søn's Grid", True)
    assert site.password_policy == "CUSTOM:12:4"


def test_the_environment_names_the_file(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf.write_text(REQUIRED)
    monkeypatch.setenv("MIG_CONF", str(conf))
    assert load().path == conf


def test_the_account_is_the_owner_of_the_user_store(conf: Path, tmp_path: Path) -> None:
    conf.write_text(f"[GLOBAL]\nserver_fqdn = grid.example.org\nstate_path = {tmp_path}\n")
    (tmp_path / "user_db_home").mkdir()
    os.chown(tmp_path / "user_db_home", 4242, 4243)
    assert (load(conf).account_uid, load(conf).account_gid) == (4242, 4243)


def test_a_missing_directory_of_the_user_store_is_named(conf: Path, tmp_path: Path) -> None:
    conf.write_text(f"[GLOBAL]\nserver_fqdn = grid.example.org\nstate_path = {tmp_path}/none\n")
    with pytest.raises(
        ConfigurationError, match=r"user_db_home: cannot use .*/none/user_db_home: No such file or directory; create it"
    ):
        _ = load(conf).account_uid


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        ("GLOBAL", "user_sftp_port = 70000", "'70000' is not a port; write a number from 1 to 65535"),
        ("GLOBAL", "user_sftp_port = 0", "'0' is not a port"),
        ("GLOBAL", "user_sftp_port = ssh", "'ssh' is not a port"),
        ("GLOBAL", "user_sftp_port = ٢٢", "'٢٢' is not a port"),
        ("GLOBAL", "user_sftp_port =", "it is not a port"),
        ("GLOBAL", "user_home = homes", "'homes' is not an absolute path; write a path that starts with /"),
        ("GLOBAL", "user_home = /srv/../etc", "'/srv/../etc' is not an absolute path"),
        ("GLOBAL", "user_home =", "it is empty; write a value"),
        (
            "GLOBAL",
            "user_home = %(stat_path)s/x",
            "%(stat_path)s, which is no key of [GLOBAL]; did you mean state_path?",
        ),
        ("GLOBAL", "user_home = %(user_home)s/x", "refers to itself; write %(key)s"),
        ("GLOBAL", "log_dir = /log/100%", "a % that starts no reference"),
        ("GLOBAL", "mig_path = /srv\n  /mig", "a control character or a line break"),
        ("GLOBAL", "migserver_public_url = grid.example.org", "is not a web address; write one such as https://"),
        ("GLOBAL", "migserver_public_url = https://grid.example.org:99999", "is not a web address"),
        ("GLOBAL", "user_sftp_address = under_score.example.org", "is not a host name"),
        ("GLOBAL", "user_sftp_address = 192.0.2.256", "is not a host name"),
        ("GLOBAL", "admin_email = a b", "'a b' is not a list of e-mail addresses"),
        ("GLOBAL", "support_email = help@example.org,", "is not a list of e-mail addresses"),
        ("GLOBAL", "loglevel = loud", "'loud' is not known here; write one of debug, info"),
        ("SITE", "enable_sftp = jawohl", "'jawohl' is neither true nor false; write True or False"),
        ("SITE", "password_policy = HARD", "'HARD' is not a password policy; write NONE, WEAK, MEDIUM"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(conf: Path, section: str, line: str, message: str) -> None:
    conf.write_text(f"{REQUIRED}[{section}]\n{line}\n" if section != "GLOBAL" else REQUIRED + line + "\n")
    with pytest.raises(ConfigurationError) as refusal:
        load(conf)
    text = str(refusal.value)
    assert message in text
    assert text.startswith(f"{conf}:{5 if section != 'GLOBAL' else 4}: [{section}] {line.split()[0]}: ")
    assert "\n" not in text


def test_all_wrong_values_are_reported_at_once(conf: Path) -> None:
    conf.write_text("[GLOBAL]\nuser_sftp_port = x\n[SITE]\nenable_sftp = x\n")
    with pytest.raises(ConfigurationError) as refusal:
        load(conf)
    lines = str(refusal.value).splitlines()
    assert [line.split("] ")[1].split(":")[0] for line in lines] == [
        "server_fqdn",
        "state_path",
        "user_sftp_port",
        "enable_sftp",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"server_fqdn = grid.example.org\n", "no section headers"),
        (b"[GLOBAL]\nthis is no line of a configuration\n", "this is no line"),
        (b"\xff\xfe[GLOBAL]\n", "it is not text in UTF-8"),
        (b"", "[GLOBAL] server_fqdn: it is missing; write it in section [GLOBAL]"),
    ],
)
def test_a_file_of_another_format_is_refused(conf: Path, content: bytes, message: str) -> None:
    conf.write_bytes(content)
    with pytest.raises(ConfigurationError) as refusal:
        load(conf)
    assert message in str(refusal.value)


def test_a_missing_file_is_named(conf: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"MiGserver\.conf: No such file or directory; name the right file"):
        load(conf)
