"""The site as its users see it: from another machine, with their own clients."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[3]
PASSPHRASE = "Sample-Passphrase-1"
CLIENT_OPTIONS = ("-oBatchMode=no", "-oNumberOfPasswordPrompts=1", "-oIdentitiesOnly=yes", "-oConnectTimeout=10")


@dataclass(frozen=True)
class Login:
    """How a user proves who they are: with a password, or with the key in a file."""

    alias: str
    password: str | None = None
    key: Path | None = None


class Site:
    """One host under test, and clients that know its address, its names and its keys."""

    def __init__(self, host: Any, scratch: Path) -> None:
        self.variables: dict[str, Any] = host.ansible.get_variables()
        self.address: str = self.variables["system_container_address"]
        self.scratch = scratch
        self._known_hosts = scratch / "known_hosts"
        self.authority = scratch / "ca.crt"
        self._remember_keys(host)

    def _remember_keys(self, host: Any) -> None:
        keys = host.run("cat /etc/migrid/sftp_host_keys/*.pub").stdout.splitlines()
        ports = (self.variables["mig_sftp_port"], self.variables["mig_sftp_subsys_port"])
        lines = [f"[{self.address}]:{port} {key}\n" for port in ports for key in keys]
        self._known_hosts.write_text("".join(lines))
        self.authority.write_text(host.run("cat /etc/migrid/certs/ca.crt").stdout)

    def get(self, url: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Ask with curl, which verifies the certificate against the site's authority."""
        ways = ("public", "sid", "oidc", "cert", "ext_oidc", "ext_cert")
        names = [self.variables[f"mig_{way}_fqdn"] for way in ways]
        resolve = [f"{name}:{port}:{self.address}" for name in names for port in (80, 443)]
        known = [word for entry in resolve for word in ("--resolve", entry)]
        trusted = ["--cacert", str(self.authority)]
        return run(["curl", "--silent", "--show-error", "--max-time", "90", *trusted, *known, *options, url])

    def sftp(self, login: Login, batch: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run the lines of ``batch`` in OpenSSH's client."""
        return self._ssh(["sftp", *self._options(login, "-P", port), "-b", "-", self.address], login, batch)

    def ssh(self, login: Login, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Ask for a shell, a command or a forwarding."""
        return self._ssh(["ssh", *self._options(login, "-p", None), *arguments, self.address], login, "")

    def _options(self, login: Login, port_flag: str, port: int | None) -> list[str]:
        key = [f"-oIdentityFile={login.key}"] if login.key else ["-oIdentityFile=none"]
        methods = "publickey" if login.key else "password"
        return [
            *CLIENT_OPTIONS,
            *key,
            f"-oPreferredAuthentications={methods}",
            f"-oUserKnownHostsFile={self._known_hosts}",
            "-oStrictHostKeyChecking=yes",
            f"-oUser={login.alias}",
            port_flag,
            str(port or self.variables["mig_sftp_port"]),
        ]

    def _ssh(self, command: list[str], login: Login, text: str) -> subprocess.CompletedProcess[str]:
        ask = self.scratch / "ask"
        ask.write_text('#!/bin/sh\nprintf "%s\\n" "$SAMPLE_PASSWORD"\n')
        ask.chmod(0o700)
        environment = os.environ | {
            "SSH_ASKPASS": str(ask),
            "SSH_ASKPASS_REQUIRE": "force",
            "SAMPLE_PASSWORD": login.password or "",
        }
        return run(command, input=text, env=environment)


def attempts(host: Any) -> list[str]:
    """Who tried to log in: service, method, login and result of each attempt."""
    lines = [line.split() for line in host.check_output("cat /home/mig/state/log/auth.log").splitlines()]
    return [" ".join([*fields[1:4], fields[5]]) for fields in lines]


def certificate_of(host: Any, user: str) -> bytes:
    """A new certificate of a user with its key, as a browser imports it, with PASSPHRASE."""
    host.check_output(f"cd /root && rm -f user.p12 && printf '{PASSPHRASE}\\n' > passphrase")
    host.check_output(f"cd /root && mig usercert {user} --output user.p12 --passphrase-file passphrase")
    return base64.b64decode(host.check_output("cd /root && base64 user.p12 && rm user.p12 passphrase"))


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


@pytest.fixture
def site(host: Any, tmp_path: Path) -> Site:
    return Site(host, tmp_path)


@pytest.fixture(scope="session")
def sample_users() -> dict[str, Any]:
    """The content of tests/data/users.yml."""
    content: dict[str, Any] = yaml.safe_load((PROJECT / "tests/data/users.yml").read_text(encoding="utf-8"))
    return content
