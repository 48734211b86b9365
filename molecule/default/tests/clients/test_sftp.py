"""SFTP, with OpenSSH's client."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Login, attempts

REFUSED = "Permission denied"


@pytest.fixture(scope="module")
def by_alias(sample_users: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {user.get("alias", user.get("email", "")).lower(): user for user in sample_users["mig_users"]}


@pytest.fixture
def ada() -> Login:
    return Login("ada@example.org", password="Sample-Pass-01")


@pytest.fixture
def keyed() -> Login:
    """The user that the scenario made with the public key of a key on the control node."""
    return Login("key.user@example.org", key=PROJECT / "build/sample_user/id_ed25519")


def test_the_sample_logins_work(site: Any, sample_users: dict[str, Any], by_alias: dict[str, dict[str, Any]]) -> None:
    assert len(sample_users["sample_logins"]) == 20
    for alias in sample_users["sample_logins"]:
        login = Login(alias, password=by_alias[alias]["password"])
        answer = site.sftp(login, "ls -1\n")
        assert answer.returncode == 0, (alias, answer.stderr)
        assert answer.stdout.splitlines()[-1].strip() == "welcome.txt", (alias, answer.stdout)


def test_a_key_logs_in_on_both_ports(site: Any, keyed: Login) -> None:
    for port in (site.variables["mig_sftp_port"], site.variables["mig_sftp_subsys_port"]):
        answer = site.sftp(keyed, "pwd\n", port=port)
        assert answer.returncode == 0, answer.stderr
        assert "Remote working directory: /data" in answer.stdout


def test_files_come_back_as_they_went(site: Any, ada: Login, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    (tmp_path / "up").write_bytes(content)
    answer = site.sftp(
        ada, f"mkdir box\nput {tmp_path}/up box/file\nget box/file {tmp_path}/down\nrm box/file\nrmdir box\n"
    )
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "down").read_bytes() == content


def test_a_wrong_password_is_refused(site: Any, ada: Login) -> None:
    answer = site.sftp(Login(ada.alias, password="Sample-Pass-02"), "ls\n")
    assert answer.returncode != 0
    assert REFUSED in answer.stderr


@pytest.mark.parametrize(
    ("user", "password", "result"),
    [
        ("suspended.user", "Sample-Pass-01", "suspended"),
        ("expired.user", "Sample-Pass-01", "expired"),
        ("barred.user", "Sample-Pass-01", "not_allowed"),
        ("nobody.here", "Sample-Pass-01", "unknown"),
        ("service.user", "Sample-Pass-01", "wrong"),
    ],
)
def test_who_may_not_log_in_is_refused_alike(site: Any, host: Any, user: str, password: str, result: str) -> None:
    answer = site.sftp(Login(f"{user}@example.org", password=password), "ls\n")
    assert answer.returncode != 0
    assert REFUSED in answer.stderr
    assert attempts(host)[-1] == f"sftp password {user}@example.org {result}"


def test_a_password_of_its_own_opens_sftp(site: Any, host: Any) -> None:
    login = Login("service.user@example.org", password="Sample-Pass-02")
    before = attempts(host)
    assert site.sftp(login, "ls\n").returncode == 0
    assert attempts(host)[len(before) :] == [f"sftp password {login.alias} granted"]


def test_a_suspended_user_cannot_come_in_with_a_key(site: Any, host: Any, keyed: Login) -> None:
    host.check_output(f"mig edituser -i {keyed.alias} --state suspended")
    assert site.sftp(keyed, "ls\n").returncode != 0
    assert attempts(host)[-1] == f"sftp publickey {keyed.alias} suspended"
    host.check_output(f"mig edituser -i {keyed.alias} --state present")
    assert site.sftp(keyed, "ls\n").returncode == 0


@pytest.mark.parametrize("alias", ["root", "mig"])
def test_accounts_of_the_machine_are_refused(site: Any, keyed: Login, alias: str) -> None:
    assert REFUSED in site.sftp(Login(alias, key=keyed.key), "ls\n").stderr


def test_there_is_no_shell_and_no_command(site: Any, keyed: Login) -> None:
    for arguments in (("-T",), ("-tt",), ("-T", "-oRemoteCommand=id")):
        answer = site.ssh(keyed, *arguments)
        assert "uid=" not in answer.stdout
        assert "$ " not in answer.stdout
        assert "This service allows sftp connections only" in answer.stdout or answer.returncode != 0


def test_nothing_is_forwarded(site: Any, keyed: Login) -> None:
    answer = site.ssh(keyed, "-W", "127.0.0.1:443")
    assert answer.returncode != 0
    assert "administratively prohibited" in answer.stderr or "open failed" in answer.stderr
    answer = site.ssh(keyed, "-N", "-oExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22")
    assert answer.returncode != 0
    assert "remote port forwarding failed" in answer.stderr


def test_no_other_users_file_is_reached(site: Any, host: Any, ada: Login, keyed: Login, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the key user")
    assert site.sftp(keyed, f"put {tmp_path}/secret secret\n").returncode == 0
    stored = host.check_output("find /home/mig/state/user_home -name secret").strip()
    other = Path(stored).parent.name
    for path in (f"../{other}/secret", f"/data/../{other}/secret", stored, "../../../etc/passwd", "/etc/passwd"):
        answer = site.sftp(ada, f"get '{path}' {tmp_path}/stolen\n")
        assert answer.returncode != 0, path
        assert not (tmp_path / "stolen").exists(), path
    site.sftp(keyed, "rm secret\n")


def test_symbolic_links_lead_nowhere(site: Any, host: Any, ada: Login, tmp_path: Path) -> None:
    home = host.check_output("echo /home/mig/state/user_home/+*ada@example.org").strip()
    for name, target in {
        "absolute": "/home/mig/state/user_db_home",
        "relative": "../../user_db_home",
        "etc": "/etc",
    }.items():
        assert site.sftp(ada, f"symlink {target} {name}\n").returncode == 0
        for file in ("MiG-users.db", "passwd"):
            assert site.sftp(ada, f"get {name}/{file} {tmp_path}/stolen\n").returncode != 0
        assert site.sftp(ada, f"rm {name}\n").returncode == 0
    host.check_output(f"ln -s /home/mig/state/user_db_home '{home}/planted'")
    assert site.sftp(ada, "ls planted/\n").returncode != 0
    host.check_output(f"rm '{home}/planted'")


def test_a_session_sees_one_home_and_nothing_else(site: Any, ada: Login) -> None:
    answer = site.sftp(ada, "cd /\nls -1a\n")
    names = {line.strip().rstrip("/") for line in answer.stdout.splitlines() if not line.startswith("sftp>")}
    assert names <= {".", "..", "data", "dev"}


def test_guessing_does_not_shut_others_out(site: Any, ada: Login, keyed: Login) -> None:
    for _ in range(3):
        site.sftp(Login(ada.alias, password="wrong"), "ls\n")
    assert site.sftp(ada, "ls\n").returncode == 0
    assert site.sftp(keyed, "ls\n").returncode == 0


def test_who_guesses_has_to_wait(site: Any, host: Any) -> None:
    before = len(attempts(host))
    for number in range(8):
        site.sftp(Login("service.user@example.org", password=f"Guess-{number}"), "ls\n")
    results = [attempt.split()[-1] for attempt in attempts(host)[before:]]
    assert results[:5] == ["wrong"] * 5
    assert "too_early" in results
    assert "failures of service.user@example.org" in host.check_output("mig logins --forget service.user@example.org")
    assert site.sftp(Login("service.user@example.org", password="Sample-Pass-02"), "ls\n").returncode == 0


def test_the_log_of_logins_is_rotated_and_goes_on(site: Any, host: Any, ada: Login) -> None:
    host.check_output("logrotate --force /etc/logrotate.d/migrid")
    assert host.file("/home/mig/state/log/auth.log.1.gz").user == "mig"
    assert site.sftp(ada, "ls\n").returncode == 0
    assert attempts(host) == [f"sftp password {ada.alias} granted"]


def test_a_reload_does_not_end_a_transfer(site: Any, host: Any, ada: Login, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"0" * (32 << 20))
    result: list[subprocess.CompletedProcess[str]] = []
    upload = threading.Thread(target=lambda: result.append(site.sftp(ada, f"put {tmp_path}/big big\nrm big\n")))
    upload.start()
    host.check_output("systemctl reload grid_sftp")
    upload.join()
    assert result[0].returncode == 0, result[0].stderr
