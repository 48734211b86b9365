"""The program mig-login as pam_exec(8) runs it: its environment, its standard input, and whose child it is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest
from sample_site import ACCOUNT, SampleSite
from test_logins import PASSWORD, QUICK_HASH, Door
from test_reconcile import ADA, ADA_ID

LOGIN = [sys.executable, "-c", "import sys; from migrid.site.logins.pam import main; sys.exit(main())"]
AUTH = {"PAM_TYPE": "auth"}
ACCOUNT_STAGE = {"PAM_TYPE": "account"}
SESSION = {"PAM_USER": "ada@example.org", "PAM_RHOST": "192.0.2.1", "PAM_SERVICE": "sshd"}


@pytest.fixture
def door(sample_site: SampleSite) -> Door:
    site = Door(sample_site)
    site.apply({**ADA, "password_hash": QUICK_HASH})
    return site


def mig_login(door: Door, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*LOGIN, str(door.sample.conf)], input=stdin, env={**SESSION, **environment}, capture_output=True, check=False
    )


def session(door: Door, *stages: dict[str, str]) -> list[int]:
    """The exit status of each stage, all of them children of one process as in a PAM session."""
    script = f"""
        import subprocess, sys
        for stage in {stages!r}:
            command, environment = {[*LOGIN, str(door.sample.conf)]!r}, {SESSION!r} | stage
            print(subprocess.run(command, input={PASSWORD!r}, text=True, env=environment).returncode)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def words(door: Door) -> list[str]:
    """The log without the times."""
    return [line.split(" ", 1)[1] for line in door.lines()]


@pytest.mark.parametrize(
    ("password", "status"), [("Secret.1", 0), ("Secret.1\0", 0), ("Secret.1\n", 1), ("Secret.2", 1), ("", 1)]
)
def test_the_password_comes_on_standard_input(door: Door, password: str, status: int) -> None:
    done = mig_login(door, password.encode(), **AUTH)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
    assert words(door) == [f"sftp password ada@example.org 192.0.2.1 {'wrong' if status else 'granted'}"]


@pytest.mark.parametrize(("stack", "service"), [("sshd", "sftp"), ("proftpd", "ftps")])
def test_the_pam_stack_names_the_service(door: Door, stack: str, service: str) -> None:
    assert mig_login(door, PASSWORD.encode(), PAM_SERVICE=stack, **AUTH).returncode == 0
    assert words(door) == [f"{service} password ada@example.org 192.0.2.1 granted"]


def test_a_login_by_password_is_logged_once(door: Door) -> None:
    assert session(door, AUTH, ACCOUNT_STAGE) == [0, 0]
    assert words(door) == ["sftp password ada@example.org 192.0.2.1 granted"]


def test_a_login_by_key_has_no_auth_stage(door: Door) -> None:
    assert session(door, ACCOUNT_STAGE) == [0]
    assert words(door) == ["sftp publickey ada@example.org 192.0.2.1 granted"]


def test_a_password_is_good_for_one_login_of_its_process(door: Door) -> None:
    assert session(door, AUTH, ACCOUNT_STAGE, ACCOUNT_STAGE) == [0, 0, 0]
    assert session(door, AUTH, ACCOUNT_STAGE | {"PAM_SERVICE": "proftpd"}) == [0, 1]
    assert mig_login(door, **ACCOUNT_STAGE).returncode == 0
    methods = [line.split()[1] for line in words(door)]
    assert methods == ["password", "publickey", "password", "publickey", "publickey"]


def test_a_password_of_one_user_is_none_of_another(door: Door) -> None:
    assert session(door, AUTH, ACCOUNT_STAGE | {"PAM_USER": "eve"}) == [0, 1]
    assert words(door)[1:] == ["sftp publickey eve 192.0.2.1 unknown"]


def test_who_may_not_come_in_may_not_with_a_key(door: Door) -> None:
    door.apply({**ADA, "services": {"sftp": {"enabled": False}}})
    assert session(door, AUTH, ACCOUNT_STAGE) == [1, 1]
    door.apply({**ADA, "services": {"sftp": {"enabled": True}}, "state": "suspended"})
    assert session(door, ACCOUNT_STAGE) == [1]
    assert [line.split()[-1] for line in words(door)] == ["not_allowed", "not_allowed", "suspended"]


def test_a_key_opens_sftp_only(door: Door) -> None:
    assert mig_login(door, PAM_SERVICE="grid_ftps", **ACCOUNT_STAGE).returncode == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"PAM_TYPE": "auth", "PAM_SERVICE": "login"},
        {"PAM_TYPE": "open_session"},
        {"PAM_TYPE": "auth", "PAM_USER": ""},
        {},
    ],
)
def test_what_is_not_understood_is_refused(door: Door, environment: dict[str, str]) -> None:
    done = mig_login(door, PASSWORD.encode(), **environment)
    assert done.returncode == 1
    assert done.stderr.startswith(b"mig-login: this is for auth and account of pam_exec(8)")
    assert not door.log.exists()


def test_without_a_site_nobody_comes_in(door: Door) -> None:
    door.sample.conf.unlink()
    done = mig_login(door, PASSWORD.encode(), **AUTH)
    assert done.returncode == 1
    assert done.stderr.startswith(b"mig-login: cannot read ")


def test_a_login_that_is_no_text_is_refused(door: Door) -> None:
    environment: dict[bytes, bytes] = {os.fsencode(key): os.fsencode(value) for key, value in (SESSION | AUTH).items()}
    done = subprocess.run(
        [*LOGIN, str(door.sample.conf)],
        input=b"\xff\xfe",
        env={**environment, b"PAM_USER": b"ada\xff\n", b"PAM_RHOST": b"\xff"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert words(door) == [r"sftp password ada\udcff\x0a \udcff unknown"]


def test_what_it_writes_is_the_accounts(door: Door) -> None:
    mig_login(door, PASSWORD.encode(), **AUTH)
    paths = [path for path in door.sample.state.rglob("*") if path.is_file()]
    assert {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in paths} == {(ACCOUNT, 0)}


def test_it_starts_without_what_it_does_not_need() -> None:
    slow: Sequence[str] = ("argparse", "json", "secrets", "subprocess", "logging", "migrid.site.identity")
    code = f"import sys, migrid.site.logins.pam; print([name for name in {slow!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_client_id_is_a_login_too(door: Door) -> None:
    assert mig_login(door, PASSWORD.encode(), PAM_USER=ADA_ID, **AUTH).returncode == 0
    assert Path(door.log).read_text(encoding="utf-8").count("granted") == 1
