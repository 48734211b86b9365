"""FTPS, with lftp, rclone and curl."""

from __future__ import annotations

import filecmp
import ftplib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from conftest import Login, attempts, run

NAME = "io.mig.test"
EXPLICIT, IMPLICIT = 8021, 8022
REFUSED = 67  # curl's exit status for a login that failed
Answer = subprocess.CompletedProcess[str]


class Ftps:
    """The clients, which trust the site's authority only."""

    def __init__(self, address: str, ca: Path) -> None:
        self.address = address
        self.ca = ca

    def curl(self, login: Login, path: str, *options: str, port: int = EXPLICIT) -> Answer:
        scheme = "ftps" if port == IMPLICIT else "ftp"
        known = ["--cacert", str(self.ca), "--resolve", f"{NAME}:{port}:{self.address}"]
        user = ["--ssl-reqd", "--user", f"{login.alias}:{login.password}", "--max-time", "30"]
        return run(["curl", "--silent", "--show-error", *known, *user, *options, f"{scheme}://{NAME}:{port}/{path}"])

    def lftp(self, login: Login, commands: str, port: int = EXPLICIT) -> Answer:
        scheme = "ftps" if port == IMPLICIT else "ftp"
        settings = {
            "cmd:fail-exit": "yes",
            "ftp:ssl-force": "yes",
            "ftp:ssl-protect-data": "yes",
            "ssl:ca-file": str(self.ca),
            "ssl:check-hostname": "no",
            "net:max-retries": "1",
            "net:timeout": "20",
        }
        script = "".join(f"set {name} {value}\n" for name, value in settings.items())
        script += f"open --user '{login.alias}' --env-password {scheme}://{self.address}:{port}\n{commands}\n"
        environment = os.environ | {"LFTP_PASSWORD": login.password or "", "LC_ALL": "C.UTF-8"}
        return run(["lftp", "--norc"], input=script, env=environment)

    def rclone(self, login: Login, command: str, *arguments: str) -> Answer:
        secret = run(["rclone", "obscure", login.password or ""]).stdout.strip()
        remote = {"HOST": self.address, "PORT": EXPLICIT, "USER": login.alias, "PASS": secret, "EXPLICIT_TLS": "true"}
        names = {f"RCLONE_FTP_{name}": str(value) for name, value in remote.items()}
        environment = os.environ | names | {"RCLONE_CONFIG": "/dev/null", "RCLONE_FTP_NO_CHECK_CERTIFICATE": "true"}
        return run(["rclone", command, *arguments], env=environment)

    def control(self, version: ssl.TLSVersion | None = None) -> ftplib.FTP_TLS:
        """A connection, not secured yet."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        client = ftplib.FTP_TLS(context=context, timeout=20)  # noqa: S321  (with TLS)
        client.connect(self.address, EXPLICIT)
        client.host = NAME
        return client

    @contextmanager
    def session(self, login: Login) -> Iterator[ftplib.FTP_TLS]:
        """A login for commands that no client sends by itself."""
        with closing(self.control()) as client:
            client.login(login.alias, login.password or "")
            client.prot_p()
            yield client


@pytest.fixture
def ftps(site: Any) -> Ftps:
    return Ftps(site.address, site.authority)


@pytest.fixture
def ada() -> Login:
    return Login("ada@example.org", password="Sample-Pass-01")


@pytest.fixture
def other() -> Login:
    return Login("service.user@example.org", password="Sample-Pass-03")


@pytest.fixture
def home(host: Any) -> Iterator[str]:
    """A directory of Ada's on the host, for what no client makes."""
    directory = host.check_output("echo /home/mig/state/user_home/+*ada@example.org") + "/hostile"
    host.check_output(f"install -d -o mig -g mig -m 0700 '{directory}'")
    yield directory
    host.check_output(f"rm -rf '{directory}'")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of several sizes, with names that need care."""
    tree = tmp_path / "tree"
    for name in ("empty", "small file", "søren 例子", "deep/er/file", "-dash", "semi;colon & 'quote'", "x" * 200):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(name.encode() * len(name))
    (tree / "empty").write_bytes(b"")
    (tree / "big").write_bytes(bytes(range(256)) * 20_000)
    return tree


def same(left: Path, right: Path) -> bool:
    found = filecmp.dircmp(left, right)
    pairs = [same(left / name, right / name) for name in found.common_dirs]
    _, differing, odd = filecmp.cmpfiles(left, right, found.common_files, shallow=False)
    return not (found.left_only or found.right_only or differing or odd) and all(pairs)


@pytest.mark.parametrize("port", [EXPLICIT, IMPLICIT])
def test_lftp_mirrors_a_tree_up_and_down(ftps: Ftps, ada: Login, tree: Path, tmp_path: Path, port: int) -> None:
    answer = ftps.lftp(ada, f"mirror -R {tree} box\nmirror box {tmp_path}/back\nrm -r box", port)
    assert answer.returncode == 0, answer.stderr
    assert same(tree, tmp_path / "back")


def test_rclone_finds_what_it_copied(ftps: Ftps, ada: Login, tree: Path) -> None:
    for command in ("sync", "check"):
        answer = ftps.rclone(ada, command, str(tree), ":ftp:box")
        assert answer.returncode == 0, answer.stderr
    assert ftps.rclone(ada, "purge", ":ftp:box").returncode == 0


@pytest.mark.parametrize("port", [EXPLICIT, IMPLICIT])
def test_curl_sends_resumes_and_gets_a_file(ftps: Ftps, ada: Login, tree: Path, tmp_path: Path, port: int) -> None:
    big, half, back = tree / "big", tmp_path / "half", tmp_path / "back"
    half.write_bytes(big.read_bytes()[:1_000_000])
    assert ftps.curl(ada, "big", "--upload-file", str(half), port=port).returncode == 0
    answer = ftps.curl(ada, "big", "--continue-at", "-", "--upload-file", str(big), port=port)
    assert answer.returncode == 0, answer.stderr
    back.write_bytes(big.read_bytes()[:500_000])
    answer = ftps.curl(ada, "big", "--continue-at", "-", "--output", str(back), "--quote", "-NOOP", port=port)
    assert answer.returncode == 0, answer.stderr
    assert back.read_bytes() == big.read_bytes()
    assert ftps.curl(ada, "", "--quote", "DELE big", port=port).returncode == 0


@pytest.mark.parametrize(
    ("user", "password", "result"),
    [
        ("ada", "Sample-Pass-02", "wrong"),
        ("suspended.user", "Sample-Pass-01", "suspended"),
        ("expired.user", "Sample-Pass-01", "expired"),
        ("barred.user", "Sample-Pass-01", "not_allowed"),
        ("service.user", "Sample-Pass-02", "wrong"),
        ("key.user", "", "wrong"),
    ],
)
def test_who_may_not_log_in_is_refused(ftps: Ftps, host: Any, user: str, password: str, result: str) -> None:
    assert ftps.curl(Login(f"{user}@example.org", password=password), "").returncode == REFUSED
    assert attempts(host)[-1] == f"ftps password {user}@example.org {result}"


@pytest.mark.parametrize("alias", ["nobody.here@example.org", "root", "mig", "proftpd", "../ada@example.org"])
@pytest.mark.parametrize("port", [EXPLICIT, IMPLICIT])
def test_who_is_no_user_is_refused(ftps: Ftps, host: Any, alias: str, port: int) -> None:
    before = len(attempts(host))
    assert ftps.curl(Login(alias, password="Sample-Pass-01"), "", port=port).returncode == REFUSED
    assert attempts(host)[before:] == [f"ftps password {alias} unknown"]


def test_a_login_is_one_line_of_the_log(ftps: Ftps, host: Any, other: Login) -> None:
    before = len(attempts(host))
    assert ftps.curl(other, "").returncode == 0
    assert attempts(host)[before:] == [f"ftps password {other.alias} granted"]


def test_an_edited_user_is_known_at_once(ftps: Ftps, host: Any, other: Login) -> None:
    edit = f"mig edituser -i {other.alias}"
    host.check_output(f"{edit} --state suspended")
    assert ftps.curl(other, "").returncode == REFUSED
    host.check_output(f"{edit} --state present --service-access ftps=no")
    assert ftps.curl(other, "").returncode == REFUSED
    host.check_output(f"{edit} --service-access ftps=yes --expire 2020-01-01")
    assert ftps.curl(other, "").returncode == REFUSED
    host.check_output(f"{edit} --expire never")
    assert ftps.curl(other, "").returncode == 0


def test_who_guesses_has_to_wait_with_every_service(ftps: Ftps, site: Any, host: Any, other: Login) -> None:
    before = len(attempts(host))
    for number in range(8):
        ftps.curl(Login(other.alias, password=f"Guess-{number}"), "")
    results = [attempt.split()[-1] for attempt in attempts(host)[before:]]
    assert results[:5] == ["wrong"] * 5
    site.sftp(Login(other.alias, password="Guess-9"), "ls\n")
    assert {"ftps", "sftp"} == {attempt.split()[0] for attempt in attempts(host)[before:]}
    assert "too_early" in [attempt.split()[-1] for attempt in attempts(host)[before:]]
    assert f"failures of {other.alias}" in host.check_output(f"mig logins --forget {other.alias}")
    assert ftps.curl(other, "").returncode == 0


def test_nothing_goes_without_tls(ftps: Ftps, ada: Login) -> None:
    with closing(ftplib.FTP(timeout=20)) as plain:  # noqa: S321  (is refused)
        plain.connect(ftps.address, EXPLICIT)
        with pytest.raises(ftplib.error_perm, match="SSL/TLS required"):
            plain.login(ada.alias, ada.password or "")
    with closing(ftps.control()) as client:
        client.login(ada.alias, ada.password or "")
        with pytest.raises(ftplib.error_perm, match="522"):
            client.nlst()
        with pytest.raises(ftplib.error_perm, match="534"):
            client.prot_c()
        client.prot_p()
        assert "welcome.txt" in client.nlst()


@pytest.mark.parametrize(("version", "spoken"), [("TLSv1", 0), ("TLSv1_1", 0), ("TLSv1_2", 1), ("TLSv1_3", 1)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_only_versions_of_tls_that_are_safe(ftps: Ftps, version: str, spoken: int) -> None:
    with closing(ftps.control(ssl.TLSVersion[version])) as client:
        if spoken:
            assert client.auth().startswith("234")
        else:
            with pytest.raises((ssl.SSLError, OSError)):
                client.auth()


def test_links_in_a_home_lead_nowhere(ftps: Ftps, host: Any, ada: Login, home: str) -> None:
    secret = host.check_output("echo /home/mig/state/user_home/+*service.user@example.org") + "/welcome.txt"
    name = secret.rsplit("/", 2)[1]
    links = {
        "absolute": "/etc/passwd",
        "other": secret,
        "relative": f"../../{name}/welcome.txt",
        "up": "../..",
        "etc": "/etc",
        "state": "/home/mig/state",
        "chained": "other",
        "dangling": "/etc/new",
    }
    commands = [f"ln -s '{target}' '{home}/{link}'" for link, target in links.items()]
    host.check_output(" && ".join([*commands, f"chown -h mig '{home}'/*"]))
    before = host.check_output(f"sha256sum '{secret}' /etc/passwd; ls /etc")
    paths = [f"hostile/{path}" for path in (*links, f"up/{name}/welcome.txt", "etc/passwd", "state/log/auth.log")]
    paths += [f"../{name}/welcome.txt", f"/data/../{name}/welcome.txt", secret, "/etc/passwd", "../../../etc/passwd\0"]
    with ftps.session(ada) as client:
        for path in paths:
            with pytest.raises(ftplib.Error):
                client.retrbinary(f"RETR {path}", print)
            with pytest.raises(ftplib.Error):
                client.storbinary(f"STOR {path}", BytesIO(b"mine"))
        for directory in ("hostile/etc", "hostile/state", f"../{name}", "/etc"):
            with pytest.raises(ftplib.Error):
                client.cwd(directory)
    assert host.check_output(f"sha256sum '{secret}' /etc/passwd; ls /etc") == before


def test_special_files_are_refused_and_hang_nobody(ftps: Ftps, host: Any, ada: Login, home: str) -> None:
    host.check_output(f"mkfifo '{home}/pipe' && mknod '{home}/null' c 1 3 && chown mig '{home}'/*")
    with ftps.session(ada) as client:
        for name in ("hostile/pipe", "hostile/null"):
            with pytest.raises(ftplib.Error):
                client.storbinary(f"STOR {name}", BytesIO(b"mine"))
        with pytest.raises(ftplib.Error):
            client.retrbinary("RETR hostile/null", print)


def test_hostile_names_are_names(ftps: Ftps, host: Any, ada: Login, home: str) -> None:
    """What lists a directory lists a name of 255 bytes, one that is not UTF-8, and one with a line break."""
    host.check_output(f"cd '{home}' && touch \"$(printf 'bad\\376name')\" \"$(printf 'line\\nbreak')\" {'n' * 255}")
    with ftps.session(ada) as client:
        client.encoding = "latin-1"
        client.cwd("hostile")
        assert {"bad\xfename", "line", "break", "n" * 255} <= set(client.nlst())
        client.rename("bad\xfename", "good")
        client.delete("n" * 255)
    assert host.check_output(f"cd '{home}' && ls -b").split() == ["good", "line\\nbreak"]


def test_a_directory_of_5000_files_is_listed(ftps: Ftps, host: Any, ada: Login, home: str) -> None:
    host.check_output(f"cd '{home}' && seq 5000 | xargs touch && chown mig *")
    with ftps.session(ada) as client:
        assert len([name for name, _ in client.mlsd("hostile") if name not in (".", "..")]) == 5000


def test_what_a_user_may_not_do(ftps: Ftps, ada: Login) -> None:
    with ftps.session(ada) as client:
        assert client.pwd() == "/data"
        for command in (
            "MKD /new",
            "SITE SYMLINK /etc e",
            "SITE CHMOD 4777 welcome.txt",
            "SITE EXEC id",
            "PORT 127,0,0,1,200,10",
            "EPRT |1|127.0.0.1|51210|",
            "SIZE /etc/passwd\0x",
            "CWD /etc",
        ):
            with pytest.raises(ftplib.Error):
                client.sendcmd(command)
        assert client.sendcmd("CWD /").startswith("250")


def test_a_session_is_the_users_and_nothing_more(ftps: Ftps, host: Any, ada: Login) -> None:
    with ftps.session(ada):
        pid = host.check_output(f"pgrep --full '^proftpd: {ada.alias}'")
        status = dict(line.split(":\t", 1) for line in host.check_output(f"cat /proc/{pid}/status").splitlines())
        assert status["Uid"].split() == [host.check_output("id --user mig")] * 4
        assert {status["CapEff"], status["CapPrm"]} == {"0" * 16}


def test_many_small_files_at_once_break_nothing(ftps: Ftps, host: Any, ada: Login, tmp_path: Path) -> None:
    few, boxes = tmp_path / "few", [f"load-{number}" for number in range(8)]
    few.mkdir()
    for number in range(125):
        (few / f"{number:03}").write_bytes(os.urandom(4096))
    with ThreadPoolExecutor(len(boxes)) as workers:
        answers = list(workers.map(lambda box: ftps.lftp(ada, f"mirror -R {few} {box}"), boxes))
    assert [answer.stderr for answer in answers] == [""] * len(boxes)
    assert ftps.lftp(ada, f"mirror {boxes[-1]} {tmp_path}/back\nrm -r {' '.join(boxes)}").returncode == 0
    assert same(few, tmp_path / "back")
    assert "BEGIN STACK" not in host.check_output("journalctl --unit grid_ftps --no-pager --output cat")


def test_a_reload_does_not_end_a_transfer(ftps: Ftps, host: Any, ada: Login, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"0" * (64 << 20))
    result: list[Answer] = []
    slow = ("--limit-rate", "32M", "--upload-file", str(tmp_path / "big"), "--quote", "-DELE big")
    upload = threading.Thread(target=lambda: result.append(ftps.curl(ada, "big", *slow)))
    upload.start()
    host.check_output("systemctl reload grid_ftps")
    upload.join()
    assert result[0].returncode == 0, result[0].stderr
    socket.create_connection((ftps.address, EXPLICIT), timeout=10).close()
