"""mig-login asked by a real sshd and PAM, with files of /etc replaced in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import accepts, free_port, wait_until
from sample_site import ACCOUNT, SampleSite
from test_logins import PASSWORD, QUICK_HASH, Door
from test_reconcile import ADA

LOGIN = "ada@example.org"
NAMESPACE = """
set -e
mount --bind {root}/passwd /etc/passwd
mount --bind {root}/pam.d /etc/pam.d
mount -t tmpfs -o mode=755 none /run
mkdir /run/sshd
exec {sshd} -D -e -f {root}/sshd_config
"""
PAM = """
auth required pam_exec.so quiet expose_authtok {root}/mig-login {conf}
account required pam_exec.so quiet {root}/mig-login {conf}
session required pam_permit.so
"""
PROGRAM = """\
#!{python}
import sys
from migrid.site.logins.pam import main
sys.exit(main())
"""
SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host_key
PidFile none
UsePAM yes
UseDNS no
PasswordAuthentication yes
KbdInteractiveAuthentication no
AuthorizedKeysFile {root}/user_key.pub
StrictModes no
ForceCommand echo inside
"""


class Server(Door):
    """A site behind sshd."""

    def __init__(self, sample: SampleSite) -> None:
        super().__init__(sample)
        self.root = sample.root
        self.port = free_port()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.root / name], check=True)
        account = f"{LOGIN}:x:{ACCOUNT}:{ACCOUNT}::/:/bin/sh\n"
        (self.root / "pam.d").mkdir()
        self.write("passwd", Path("/etc/passwd").read_text(encoding="utf-8") + account)
        self.write("pam.d/sshd", PAM.format(root=self.root, conf=sample.conf))
        self.write("mig-login", PROGRAM.format(python=sys.executable), 0o755)
        self.write("sshd_config", SSHD.format(root=self.root, port=self.port))

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        (self.root / name).write_text(text, encoding="utf-8")
        (self.root / name).chmod(mode)

    def start(self) -> subprocess.Popen[bytes]:
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "the tests need sshd: apt-get install openssh-server"
        script = NAMESPACE.format(root=self.root, sshd=program)
        sshd = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stderr=subprocess.DEVNULL)
        wait_until(lambda: sshd.poll() is not None or accepts(self.port))
        return sshd

    def ssh(self, *options: str, password: str = "", login: str = LOGIN) -> bool:
        """Whether sshd lets somebody in."""
        self.write("askpass", f"#!/bin/sh\necho '{password}'\n", 0o755)
        settings = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "NumberOfPasswordPrompts=1", *options)
        done = subprocess.run(
            ["ssh", "-F", "none", "-p", str(self.port), "-l", login, *(f"-o{one}" for one in settings), "127.0.0.1"],
            env={**os.environ, "SSH_ASKPASS": str(self.root / "askpass"), "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        return done.stdout == b"inside\n"

    def by_password(self, password: str, login: str = LOGIN) -> bool:
        return self.ssh("PubkeyAuthentication=no", password=password, login=login)

    def by_key(self) -> bool:
        return self.ssh("PasswordAuthentication=no", f"IdentityFile={self.root}/user_key")


@pytest.fixture
def server(sample_site: SampleSite) -> Iterator[Server]:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace")
    server = Server(sample_site)
    server.apply({**ADA, "password_hash": QUICK_HASH})
    sshd = server.start()
    yield server
    sshd.terminate()
    sshd.wait()


def test_each_login_is_decided_and_logged_once(server: Server) -> None:
    assert server.by_password(PASSWORD)
    assert server.by_key()
    assert not server.by_password("Secret.2")
    assert not server.by_password(PASSWORD, login="nobody@example.org")
    server.apply({**ADA, "state": "suspended"})
    assert not server.by_key()
    assert not server.by_password(PASSWORD)
    assert [line.split(" ", 1)[1] for line in server.lines()] == [
        f"sftp password {LOGIN} 127.0.0.1 granted",
        f"sftp publickey {LOGIN} 127.0.0.1 granted",
        f"sftp password {LOGIN} 127.0.0.1 wrong",
        "sftp password nobody@example.org 127.0.0.1 unknown",
        f"sftp publickey {LOGIN} 127.0.0.1 suspended",
        f"sftp password {LOGIN} 127.0.0.1 suspended",
    ]
