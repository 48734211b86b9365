"""WebDAV as users have it, from outside: curl, rclone, cadaver, and litmus, which tests servers."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pexpect
import pytest
from conftest import run

PASSWORD = "Sample-Pass-01"
LOCK = '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
SPACE = '<propfind xmlns="DAV:"><prop><quota-available-bytes/></prop></propfind>'


class Drive:
    """The home of a user, by WebDAV."""

    def __init__(self, site: Any, login: str, password: str) -> None:
        self.name, self.port = site.variables["mig_io_fqdn"], site.variables.get("mig_davs_port", 4443)
        self.address, self.login, self.password = site.address, login, password
        self.scratch, self.authority = site.scratch, site.authority

    def curl(self, path: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Ask with curl, which verifies the certificate."""
        trusted = ["--cacert", str(self.authority)]
        known = ["--resolve", f"{self.name}:{self.port}:{self.address}"]
        login = ["--user", f"{self.login}:{self.password}"]
        url = f"https://{self.name}:{self.port}{quote(path)}"
        return run(["curl", "--silent", "--show-error", "--max-time", "60", *trusted, *known, *login, *options, url])

    def status(self, path: str, *options: str) -> str:
        answer = self.curl(path, "--output", os.devnull, "--write-out", "%{http_code}", *options)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def rclone(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run rclone, for which the home is `home:`. It knows no names of ours, and so no certificate."""
        secret = run(["rclone", "obscure", self.password]).stdout.strip()
        remote = {"TYPE": "webdav", "URL": f"https://{self.address}:{self.port}", "USER": self.login, "PASS": secret}
        environment = os.environ | {f"RCLONE_CONFIG_HOME_{name}": value for name, value in remote.items()}
        command = ["rclone", "--config", os.devnull, "--no-check-certificate", *arguments]
        return run(command, env=environment)

    def cadaver(self, *lines: str) -> str:
        """Type lines into cadaver, after the consent to the certificate: what it says."""
        netrc = self.scratch / ".netrc"
        netrc.write_text(f"machine {self.address}\nlogin {self.login}\npassword {self.password}\n")
        netrc.chmod(0o600)
        url, environment = f"https://{self.address}:{self.port}/", os.environ | {"HOME": str(self.scratch)}
        with pexpect.spawn("cadaver", [url], env=environment, encoding="utf-8", timeout=60) as client:
            client.expect_exact("(y/n)")
            client.sendline("y")
            said = []
            for line in (*lines, "quit"):
                client.expect_exact("dav:/> ")
                said.append(client.before)
                client.sendline(line)
            client.expect(pexpect.EOF)
            return "".join(said)


@pytest.fixture
def drive(site: Any) -> Iterator[Drive]:
    drive = Drive(site, "ada@example.org", PASSWORD)
    yield drive
    assert drive.status("/dav", "--request", "DELETE") in ("204", "404")


def test_a_file_comes_back_as_it_went(drive: Drive, tmp_path: Path) -> None:
    content = os.urandom(8 << 20)
    (tmp_path / "up").write_bytes(content)
    assert drive.status("/dav", "--request", "MKCOL") == "201"
    assert drive.status("/dav/Søren 漢字 100%", "--upload-file", str(tmp_path / "up")) == "201"
    assert (
        drive.status("/dav/chunked", "--upload-file", str(tmp_path / "up"), "--header", "Transfer-Encoding: chunked")
        == "201"
    )
    for name in ("Søren 漢字 100%", "chunked"):
        assert drive.curl(f"/dav/{name}", "--output", str(tmp_path / "down")).returncode == 0
        assert (tmp_path / "down").read_bytes() == content
    drive.curl("/dav/chunked", "--range", "1048576-1048599", "--output", str(tmp_path / "part"))
    assert (tmp_path / "part").read_bytes() == content[1048576:1048600]


def test_the_files_are_the_users_alone(drive: Drive, host: Any, tmp_path: Path) -> None:
    (tmp_path / "up").write_text("mine")
    drive.status("/dav", "--request", "MKCOL")
    drive.status("/dav/file", "--upload-file", str(tmp_path / "up"))
    found = host.check_output("find /home/mig/state/user_home/+*ada@example.org/dav -printf '%m %u\\n'")
    assert set(found.splitlines()) == {"700 mig", "600 mig"}


@pytest.mark.parametrize(
    "login", ["suspended.user@example.org", "expired.user@example.org", "nobody.here@example.org", "root", "mig"]
)
def test_who_may_not_log_in_is_refused_alike(site: Any, login: str) -> None:
    assert Drive(site, login, PASSWORD).status("/") == "401"


def test_a_wrong_password_after_a_right_one_is_refused(site: Any, drive: Drive) -> None:
    assert drive.status("/welcome.txt", "--head") == "200"
    assert Drive(site, drive.login, "Sample-Pass-02").status("/welcome.txt", "--head") == "401"


def test_no_path_and_no_link_leads_out(drive: Drive, host: Any) -> None:
    home = host.check_output("echo /home/mig/state/user_home/+*ada@example.org").strip()
    host.check_output(f"ln -s /home/mig/state/user_db_home '{home}/planted'")
    try:
        assert drive.status("/planted/MiG-users.db") == "403"
    finally:
        host.check_output(f"rm '{home}/planted'")
    for path in ("/../../user_db_home/MiG-users.db", "/%2e%2e/%2e%2e/user_db_home/MiG-users.db", "//etc/passwd"):
        assert drive.curl(
            "", "--path-as-is", "--output", os.devnull, "--write-out", "%{http_code}", "--request-target", path
        ).stdout in (
            "400",
            "403",
            "404",
        )


def test_rclone_keeps_a_directory_like_another(drive: Drive, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"from/{number % 5}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"from/{number % 5}/{number}").write_bytes(os.urandom(4096))
    for _ in range(2):
        answer = drive.rclone("sync", str(tmp_path / "from"), "home:dav")
        assert answer.returncode == 0, answer.stderr
        (tmp_path / "from/0/0").unlink(missing_ok=True)
    answer = drive.rclone("check", "--download", str(tmp_path / "from"), "home:dav")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"Free: +[\d.]+", drive.rclone("about", "home:").stdout)


def test_cadaver_locks_and_moves(drive: Drive, tmp_path: Path) -> None:
    (tmp_path / "up").write_text("by cadaver")
    said = drive.cadaver(
        "mkcol dav", f"put {tmp_path}/up dav/one", "lock dav/one", "discover dav/one", "unlock dav/one",
        "move dav/one dav/two", "ls dav", f"get dav/two {tmp_path}/down",
    )  # fmt: skip
    assert "failed" not in said, said
    assert (tmp_path / "down").read_text() == "by cadaver"


def test_litmus_finds_no_fault(drive: Drive) -> None:
    """litmus works in a directory of its own, so it does not disturb, and tells how many of its tests pass."""
    drive.status("/dav", "--request", "MKCOL")
    command = ["litmus", "-k", f"https://{drive.address}:{drive.port}/dav/", drive.login, drive.password]
    answer = run(command, cwd=drive.scratch)
    found = re.findall(r"summary for `(\w+)': of \d+ tests run: \d+ passed, \d+ failed\. (\S+)", answer.stdout)
    assert dict(found) == dict.fromkeys(("basic", "copymove", "props", "locks", "http"), "100.0%"), answer.stdout
    assert answer.returncode == 0


def test_a_lock_survives_a_restart(drive: Drive, host: Any, tmp_path: Path) -> None:
    drive.status("/dav", "--request", "MKCOL")
    (tmp_path / "file").write_text("1")
    answer = drive.curl("/dav/file", "--request", "LOCK", "--data", LOCK, "--dump-header", "-")
    token = re.search(r"Lock-Token: (<\S+>)", answer.stdout)
    assert token, answer.stdout
    host.check_output("systemctl restart grid_webdavs")
    drive.curl("/", "--head", "--retry", "20", "--retry-connrefused", "--retry-delay", "1")
    assert drive.status("/dav/file", "--upload-file", str(tmp_path / "file")) == "423"
    assert drive.status("/dav/file", "--upload-file", str(tmp_path / "file"), "--header", f"If: ({token[1]})") == "204"
    assert drive.status("/dav/file", "--request", "UNLOCK", "--header", f"Lock-Token: {token[1]}") == "204"


def test_a_reload_does_not_end_a_transfer(drive: Drive, host: Any, tmp_path: Path) -> None:
    drive.status("/dav", "--request", "MKCOL")
    (tmp_path / "big").write_bytes(b"0" * (64 << 20))
    result: list[str] = []
    slow = ("--upload-file", str(tmp_path / "big"), "--limit-rate", "32M")
    upload = threading.Thread(target=lambda: result.append(drive.status("/dav/big", *slow)))
    upload.start()
    host.check_output("systemctl reload grid_webdavs")
    upload.join()
    assert result == ["201"]
    count = "pgrep --count --parent $(systemctl show --property=MainPID --value grid_webdavs)"
    host.check_output(f"timeout 30 sh -c 'until [ $({count}) = 2 ]; do sleep 0.2; done'")


def test_who_asks_for_space_is_told(drive: Drive) -> None:
    answer = drive.curl("/", "--request", "PROPFIND", "--header", "Depth: 0", "--data", SPACE)
    assert re.search(r"quota-available-bytes>\d+<", answer.stdout)


def test_the_service_has_no_power(host: Any) -> None:
    main = host.check_output("systemctl show --property=MainPID --value grid_webdavs").strip()
    workers = host.check_output(f"pgrep --parent {main}").split()
    assert workers
    for process in (main, *workers):
        status = host.check_output(f"grep -E '^(Uid|CapPrm|CapEff|CapBnd|NoNewPrivs):' /proc/{process}/status")
        mig = host.check_output("id -u mig").strip()
        assert re.search(rf"Uid:(\s+{mig}){{4}}", status)
        assert re.findall(r"Cap\w+:\s+(\w+)", status) == ["0" * 16] * 3
        assert re.search(r"NoNewPrivs:\s+1", status)
