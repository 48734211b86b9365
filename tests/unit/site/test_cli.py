"""The command `mig` as its user sees it: through its real entry point, with and without a terminal."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from sample_site import ACCOUNT, SampleSite, mig_command

from migrid.site.access import as_account, opened_store
from migrid.site.configuration import load
from migrid.site.logins import Attempt, Logins, Method, Service, second_factor
from migrid.site.logins.history import Guess, History, path_of
from migrid.site.logins.totp import code_at
from migrid.site.passwords import verify

ADA = "/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
ADA_HOME = "+C=DK+ST=NA+L=NA+O=Test_Org+OU=NA+CN=Ada_Example+emailAddress=ada@example.org"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
PASSWORD = "Sample-Pass-1"

Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(sample_site: SampleSite) -> Terminal:
    """Run `mig` at a terminal."""
    environment = {**os.environ, "MIG_CONF": str(sample_site.conf), "LC_ALL": "C.UTF-8"}

    def spawn(*arguments: str) -> pexpect.spawn[str]:
        return pexpect.spawn(
            mig_command(), list(arguments), encoding="utf-8", timeout=60, env=environment, dimensions=(40, 500)
        )

    return spawn


@pytest.fixture
def ada(sample_site: SampleSite, tmp_path: Path) -> SampleSite:
    """A site with one user."""
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    sample_site.inside("createuser", "-i", ADA, "--password-file", str(tmp_path / "secret"))
    return sample_site


def converse(session: pexpect.spawn[str], *exchange: tuple[str, str]) -> tuple[int, str]:
    """Answer the questions in turn; the exit status and everything that was on the screen."""
    screen = ""
    for question, answer in exchange:
        session.expect_exact(question)
        screen += session.before + session.after
        session.sendline(answer)
    session.expect(pexpect.EOF)
    session.close()
    return session.exitstatus, screen + session.before


def users(site: SampleSite, *arguments: str) -> list[dict[str, object]]:
    return list(json.loads(site.inside("users", "--json", *arguments)))


def password_hash(site: SampleSite, login: str) -> str:
    with opened_store(load(site.conf)) as store:
        user = store.find(login) if store else None
    assert user
    return user.password_hash


def test_createuser_asks_field_by_field(sample_site: SampleSite, terminal: Terminal) -> None:
    exit_status, screen = converse(
        terminal("createuser"),
        ("Please enter the details for the new user:\r\nFull Name: ", "Þórdís Sýnishorn"),
        ("Organization: ", "Háskóli"),
        ("State: ", ""),
        ("2-letter Country Code: ", "is"),
        ("Email: ", "thordis@example.org"),
        ("Comment: ", "This is my own MiG user"),
        ("Password: ", PASSWORD),
        ("Password again: ", PASSWORD),
    )
    home = "+C=IS+ST=NA+L=NA+O=Háskóli+OU=NA+CN=Þórdís_Sýnishorn+emailAddress=thordis@example.org"
    path = sample_site.state / "user_home" / home
    assert f"User Þórdís Sýnishorn was created. Login: thordis@example.org, home: {path}" in screen
    assert exit_status == 0
    assert PASSWORD not in screen
    assert (path / "welcome.txt").read_text(encoding="utf-8") == "Welcome to the sample site\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert (path.stat().st_uid, path.stat().st_gid) == (ACCOUNT, ACCOUNT)
    (user,) = users(sample_site)
    assert (user["comment"], user["has_password"]) == ("This is my own MiG user", True)


def test_a_wrong_answer_is_asked_for_again(sample_site: SampleSite, terminal: Terminal) -> None:
    exit_status, screen = converse(
        terminal("createuser", "--full-name", "Ada Example", "--organization", "", "--comment", ""),
        ("State: ", ""),
        ("2-letter Country Code: ", "Denmark"),
        ("2-letter Country Code: ", "DK"),
        ("Email: ", "ada"),
        ("Email: ", "ada@example.org"),
        ("Password: ", "short"),
        ("Password: ", PASSWORD),
        ("Password again: ", "Another-Pass-2"),
        ("Password: ", PASSWORD),
        ("Password again: ", PASSWORD),
    )
    assert exit_status == 0
    assert "2-letter Country Code: 'Denmark' is 7 characters long; at most 2 are accepted. Please try again." in screen
    assert "Email: 'ada' is not an e-mail address; write it as ada@example.org. Please try again." in screen
    assert "Password: is too short: the site's policy MEDIUM asks for 8 characters. Please try again." in screen
    assert "Password: the two passwords differ. Please try again." in screen
    assert [user["alias"] for user in users(sample_site)] == ["ada@example.org"]


def test_an_interrupted_createuser_creates_nobody(sample_site: SampleSite, terminal: Terminal) -> None:
    session = terminal("createuser")
    session.expect_exact("Full Name: ")
    session.sendeof()
    exit_status, screen = converse(session)
    assert (exit_status, screen.strip()) == (130, "mig: interrupted; nothing was changed")
    assert users(sample_site) == []


def test_createuser_takes_the_arguments_of_migs(sample_site: SampleSite) -> None:
    result = sample_site.mig("createuser", "Ada Example", "Test Org", "", "dk", "ada@example.org", "a comment")
    assert result.returncode == 0, result.stderr
    assert [(user["client_id"], user["comment"]) for user in users(sample_site)] == [(ADA, "a comment")]


def test_createuser_takes_flags(sample_site: SampleSite, tmp_path: Path) -> None:
    password_file, key_file = tmp_path / "password", tmp_path / "id.pub"
    password_file.write_text(f"{PASSWORD}\n")
    key_file.write_text(f"# laptop\n{KEY} laptop\n\n")
    result = sample_site.mig(
        *("createuser", "--full-name", "Ada Example", "--email", "ada@example.org", "--country", "DK"),
        *("--organization", "Test Org", "--organizational-unit", "Grid", "--locality", "Ry", "--province", "Midt"),
        *("--alias", "ada", "--expire", "2099-12-31", "--comment", "x"),
        *("--password-file", str(password_file), "--public-key", str(key_file), "--conf", str(sample_site.conf)),
    )
    assert result.returncode == 0, result.stderr
    (user,) = users(sample_site)
    assert user["client_id"] == "/C=DK/ST=Midt/L=Ry/O=Test Org/OU=Grid/CN=Ada Example/emailAddress=ada@example.org"
    assert (user["alias"], user["expire"], user["public_keys"]) == ("ada", "2099-12-31", [f"{KEY} laptop"])
    assert verify(PASSWORD, password_hash(sample_site, "ada"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["createuser"], "there is no terminal to ask at; give --full-name and --email, or -i DN"),
        (["createuser", "--full-name", "A"], "there is no terminal to ask at; give --email, or -i DN"),
        (["createuser", *"abcdef", PASSWORD], "a password in the command line can be read by everyone on this host"),
        (["createuser", "-i", "Ada"], "'Ada' cannot be read from 'Ada' on; write /C=…/ST=…"),
        (["createuser", "-i", ADA, "--email", "a@example.org"], "says the same as email; give one or the other"),
        (["createuser", "-i", ADA, "--expire", "31/12/27"], "field 'expire': '31/12/27' is not a date; write YYYY-"),
        (["createuser", "-i", ADA, "--public-key", "/nowhere"], "cannot read /nowhere: No such file or directory"),
        (["createuser", "-i", ADA, "--public-key", "/etc/hostname"], "is not an accepted type of key"),
        (["createuser", "-i", ADA, "--alias", "root"], "root"),
        (["edituser", "-i", "nobody@example.org"], "there is no user nobody@example.org; mig users lists all logins"),
        (["deleteuser", "-i", "nobody@example.org"], "there is no user nobody@example.org"),
        (["users", "--conf", "/nowhere"], "cannot read /nowhere: No such file or directory; name the right file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(sample_site: SampleSite, arguments: list[str], message: str) -> None:
    result = sample_site.mig(*arguments)
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert result.stderr.startswith("mig: ")
    assert result.stderr.count("\n") == 1
    assert PASSWORD not in result.stderr
    assert users(sample_site) == []


def test_a_traceback_is_shown_on_request(sample_site: SampleSite) -> None:
    result = sample_site.mig("createuser", "--traceback")
    assert "Traceback (most recent call last)" in result.stderr


def test_createuser_refuses_an_existing_user(ada: SampleSite) -> None:
    before = users(ada)
    result = ada.mig("createuser", "-i", ADA, "--comment", "another")
    assert result.returncode == 1
    assert result.stderr == f"mig: user {ADA} exists; to change it: mig edituser -i '{ADA}'\n"
    assert users(ada) == before


def test_a_weak_password_creates_nobody(sample_site: SampleSite) -> None:
    result = sample_site.mig("createuser", "-i", ADA, "--password-stdin", stdin="weak-secret\n")
    assert result.returncode == 1
    assert "the site's policy MEDIUM asks for 3 of lower case" in result.stderr
    assert "weak-secret" not in result.stderr
    assert users(sample_site) == []


def test_edituser_changes_what_is_given_and_nothing_else(ada: SampleSite) -> None:
    before = users(ada)[0]
    result = ada.mig("edituser", "-i", "ADA@example.org", "--comment", "a guest", "--expire", "2099-12-31")
    path = ada.state / "user_home" / ADA_HOME
    assert result.stdout.startswith("User Ada Example was changed (")
    assert result.stdout.endswith(f"). Login: ada@example.org, home: {path}\n")
    assert users(ada) == [before | {"comment": "a guest", "expire": "2099-12-31"}]
    assert ada.mig("edituser", "-i", ADA, "--expire", "never").returncode == 0
    assert users(ada) == [before | {"comment": "a guest"}]


def test_edituser_without_a_change_says_so(ada: SampleSite) -> None:
    result = ada.mig("edituser", "-i", "ada@example.org")
    assert (result.returncode, result.stdout) == (0, "User Ada Example is as it should be; nothing was changed.\n")


def test_a_changed_email_keeps_the_files(ada: SampleSite) -> None:
    (ada.state / "user_home" / ADA_HOME / "thesis.txt").write_text("data")
    result = ada.mig("edituser", "-i", "ada@example.org", "--email", "ada.example@example.com")
    home = ada.state / "user_home" / ADA_HOME.replace("ada@example.org", "ada.example@example.com")
    assert result.stdout == f"User Ada Example was renamed. Login: ada.example@example.com, home: {home}\n"
    assert (home / "thesis.txt").read_text() == "data"


def test_a_suspended_user_stays_suspended_until_resumed(ada: SampleSite) -> None:
    assert "was suspended." in ada.mig("edituser", "-i", "ada@example.org", "--state", "suspended").stdout
    ada.inside("edituser", "-i", "ada@example.org", "--comment", "on leave")
    assert users(ada)[0]["state"] == "suspended"
    assert "was resumed." in ada.mig("edituser", "-i", "ada@example.org", "--state", "present").stdout
    assert users(ada)[0]["state"] == "present"


def test_edituser_asks_for_a_new_password(ada: SampleSite, terminal: Terminal) -> None:
    exit_status, screen = converse(
        terminal("edituser", "-i", "ada@example.org", "--ask-password"),
        ("Password: ", "Another-Pass-2"),
        ("Password again: ", "Another-Pass-2"),
    )
    assert exit_status == 0
    assert "Another-Pass-2" not in screen
    assert verify("Another-Pass-2", password_hash(ada, "ada@example.org"))


def test_edituser_asks_for_a_password_of_one_service(ada: SampleSite, terminal: Terminal) -> None:
    exit_status, screen = converse(
        terminal("edituser", "-i", "ada@example.org", "--service-password", "davs", "--service-access", "davs=yes"),
        ("Password for davs: ", "short"),
        ("Password for davs: ", "Another-Pass-2"),
        ("Password for davs again: ", "Another-Pass-2"),
    )
    assert exit_status == 0
    assert "Another-Pass-2" not in screen
    assert users(ada)[0]["services"] == {"davs": {"enabled": True, "has_password": True, "public_keys": []}}
    assert verify(PASSWORD, password_hash(ada, "ada@example.org"))
    converse(terminal("edituser", "-i", "ada@example.org", "--service-password", "davs"), ("Password for davs: ", ""))
    assert users(ada)[0]["services"] == {}


def test_a_password_of_a_service_needs_a_terminal(ada: SampleSite) -> None:
    result = ada.mig("edituser", "-i", "ada@example.org", "--service-password", "sftp", stdin="Another-Pass-2\n")
    assert result.stderr == (
        "mig: there is no terminal to ask at for a password of a service; give it in a list of mig_users\n"
    )


def test_edituser_says_what_a_user_may_use(ada: SampleSite) -> None:
    ada.inside(
        "edituser", "-i", "ada@example.org", "--service-access", "sftp=no", "--login-methods", "migcert, extoidc"
    )
    (user,) = users(ada)
    assert user["login_methods"] == ["migcert", "extoidc"]
    assert user["services"] == {"sftp": {"enabled": False, "has_password": False, "public_keys": []}}
    ada.inside("edituser", "-i", "ada@example.org", "--service-access", "sftp=yes", "--login-methods", "all")
    (user,) = users(ada)
    assert (user["login_methods"], user["services"]) == ("all", {})
    result = ada.mig("edituser", "-i", "ada@example.org", "--login-methods", "migcertt")
    assert "field 'login_methods': 'migcertt' is not a method; write some of migcert, " in result.stderr


def test_edituser_takes_the_second_factor_away(ada: SampleSite) -> None:
    site = load(ada.conf)
    with as_account(site):
        secret = second_factor.begin(site, ADA)
        assert second_factor.confirm(site, ADA, code_at(secret, 1_000), 30_000.0)
    assert users(ada)[0]["second_factor"] is True
    assert secret not in ada.mig("users", "--json").stdout
    command = ("edituser", "-i", "ada@example.org", "--reset-twofactor")
    assert ada.mig(*command).stdout == "User Ada Example needs no code any more.\n"
    assert users(ada)[0]["second_factor"] is False
    assert ada.mig(*command).stdout == "User Ada Example has no second factor.\n"
    assert ada.mig(*command, "--comment", "x").stdout.startswith("User Ada Example was changed (comment).")


def fail(site: SampleSite, count: int, login: str, address: str, at: float) -> None:
    """Log in with so many wrong passwords at this time."""
    conf = load(site.conf)
    with as_account(conf):
        for number in range(count):
            attempt = Attempt(Service.SFTP, Method.PASSWORD, login, address)
            Logins(conf, lambda: at).by_password(attempt, f"Wrong-Pass-{number}")


def test_logins_says_who_has_to_wait_until_told_to_forget(ada: SampleSite) -> None:
    assert ada.mig("logins").stdout == "Nobody has to wait.\n"
    assert not (ada.state / "mig_system_run" / "logins.db").exists()
    not_over_while_this_runs = time.time() + 3600
    fail(ada, 5, "ADA@example.org", "2001:db8::1", not_over_while_this_runs)
    fail(ada, 4, "bo\x1b[2J", "192.0.2.1", not_over_while_this_runs)
    conf = load(ada.conf)
    with as_account(conf), History(path_of(conf)) as history:
        for number in range(12):
            history.admit(Guess("cy", f"198.51.100.{number}", "", str(number)), not_over_while_this_runs + 10 * number)
    lines = ada.mig("logins").stdout.splitlines()
    assert lines[0].split() == ["Login", "Address", "Wait", "Failures", "Why"]
    assert [line.split()[:2] for line in lines[1:]] == [["cy", "any"], ["ada@example.org", "2001:db8::/64"]]
    assert lines[1].endswith(" 12        failures of this login from new addresses")
    assert lines[2].endswith(" 5         failures of this login from this address")
    assert ada.mig("logins", "--forget", "Ada@example.org").stdout == "5 failures of Ada@example.org forgotten.\n"
    assert ada.mig("logins", "--forget", "192.0.2.1").stdout == "4 failures of 192.0.2.1 forgotten.\n"
    assert ada.mig("logins", "--forget", "cy").stdout == "12 failures of cy forgotten.\n"
    assert ada.mig("logins").stdout == "Nobody has to wait.\n"


def test_deleteuser_asks_and_keeps_the_home(ada: SampleSite, terminal: Terminal) -> None:
    home = ada.state / "user_home" / ADA_HOME
    question = f"Remove user {ADA}? The home {home} is kept. [y/N] "
    exit_status, screen = converse(terminal("deleteuser", "-i", "ada@example.org"), (question, "n"))
    assert (exit_status, len(users(ada))) == (1, 1)
    assert "Nothing was changed." in screen
    exit_status, screen = converse(terminal("deleteuser", "-i", "ada@example.org"), (question, "y"))
    assert (exit_status, users(ada)) == (0, [])
    assert f"User Ada Example was removed. The home {home} is kept." in screen
    assert home.is_dir()


def test_deleteuser_without_a_terminal_needs_yes(ada: SampleSite) -> None:
    result = ada.mig("deleteuser", "-i", "ada@example.org")
    assert result.stderr == "mig: there is no terminal to ask at; give --yes to remove the user\n"
    assert len(users(ada)) == 1
    assert ada.mig("deleteuser", "-i", "ada@example.org", "--yes", "--remove-data").returncode == 0
    assert list((ada.state / "user_home").iterdir()) == []


def test_a_kept_home_can_be_removed_later(ada: SampleSite) -> None:
    ada.inside("deleteuser", "-i", "ada@example.org", "--yes")
    assert ada.mig("deleteuser", "-i", ADA, "--yes", "--remove-data").returncode == 0
    assert list((ada.state / "user_home").iterdir()) == []


def test_users_is_a_table_that_fits_wide_characters(ada: SampleSite) -> None:
    ada.inside("createuser", "山田 見本", "見本大学", "", "JP", "yamada@example.org")
    ada.inside("createuser", "Zoe\u0301 กำ", "Universite\u0301", "", "FR", "zoe@example.org")
    assert ada.mig("users").stdout.splitlines() == [
        "Login               Full Name    Organization  State    Expires",
        "ada@example.org     Ada Example  Test Org      present",
        "zoe@example.org     Zoé กำ       Université    present",
        "yamada@example.org  山田 見本    見本大学      present",
    ]


@pytest.mark.parametrize(
    ("arguments", "logins"),
    [
        (["--email", "*@EXAMPLE.org"], ["ada@example.org"]),
        (["--full-name", "*example"], ["ada@example.org", "eva@example.com"]),
        (["--organization", "test*"], ["ada@example.org"]),
        (["--expire-before", "2031-01-01"], ["eva@example.com"]),
        (["--expire-after", "2031-01-01"], []),
        (["--email", "nobody"], []),
    ],
)
def test_users_can_be_filtered(ada: SampleSite, arguments: list[str], logins: list[str]) -> None:
    ada.inside("createuser", "--full-name", "Eva Example", "--email", "eva@example.com", "--expire", "2030-06-01")
    assert sorted(str(user["alias"]) for user in users(ada, *arguments)) == logins


def test_a_reader_that_leaves_early_is_no_error(ada: SampleSite) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as unread:
        result = subprocess.run(
            [mig_command(), "users", "--conf", str(ada.conf)],
            stdout=unread,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.stderr == ""


def test_no_secret_is_in_the_output(ada: SampleSite) -> None:
    output = ada.mig("users", "--json").stdout
    assert "$y$" not in output
    assert PASSWORD not in output


def test_help_names_every_command(sample_site: SampleSite) -> None:
    text = sample_site.mig("--help").stdout
    assert all(
        name in text for name in ("createuser", "edituser", "deleteuser", "users", "logins", "checkconf", "status")
    )
