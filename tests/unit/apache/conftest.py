"""Renders the role apache for an inventory, without a host, and starts what it renders on the loopback address."""

from __future__ import annotations

import getpass
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar

from migrid.provision.authority import Certificates, Policy, Wanted
from migrid.site.usercerts.authority import UserAuthority

ROLES = Path(__file__).parents[3] / "roles"
INVENTORY = {
    "mig_base_fqdn": "grid.example.org",
    "mig_public_fqdn": "www.grid.example.org",
    "mig_sid_fqdn": "sid.grid.example.org",
    "mig_checkout": str(ROLES.parent),
    "ansible_search_path": [str(ROLES / "apache")],
}
Files = dict[str, str]
Render = Callable[..., Files]


@pytest.fixture(scope="session")
def apache_variables(ansible_plugins: None) -> Callable[[str], dict[str, Any]]:
    """The variables of the roles mig and apache for one family of distributions, not yet evaluated."""
    for directory in (ROLES / "apache" / "filter_plugins", ROLES.parent / "filter_plugins"):
        filter_loader.add_directory(str(directory))
    loader = DataLoader()

    def load(family: str) -> dict[str, Any]:
        own = ("defaults/main", "vars/main", f"vars/{family}")
        merged: dict[str, Any] = {}
        for name in ("mig/defaults/main", "mig/vars/main", *(f"apache/{file}" for file in own)):
            merged |= loader.load_from_file(str(ROLES / f"{name}.yml"), trusted_as_template=True)
        return merged | INVENTORY

    return load


@pytest.fixture(scope="session")
def evaluate(apache_variables: Callable[[str], dict[str, Any]]) -> Callable[..., Any]:
    """Evaluate one variable of the role for an inventory."""

    def evaluate(name: str, family: str = "Debian", **inventory: Any) -> Any:
        variables = apache_variables(family) | inventory
        return Templar(DataLoader(), variables).template(variables[name])

    return evaluate


@pytest.fixture(scope="session")
def render(evaluate: Callable[..., Any]) -> Render:
    """Render all files of the role, by path, in the two steps of its tasks."""

    def render(family: str = "Debian", **inventory: Any) -> Files:
        hosts = evaluate("__apache_hosts", family, **inventory)
        files = evaluate("__apache_files", family, **inventory, __apache_hosts=hosts)
        return {file["path"]: file.get("content") or file["secret_content"] for file in files}

    return render


@dataclass
class Response:
    """What came back for one request."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class ApacheSite:
    """A rendered set below ``root`` that the real Apache checks and serves. Ports are the caller's choice."""

    root: Path
    render: Render
    inventory: dict[str, Any] = field(default_factory=dict)

    @property
    def set(self) -> Path:
        return self.root / "set"

    def write(self, **inventory: Any) -> None:
        """Write the set and the certificates it needs."""
        own = {"mig_user": getpass.getuser(), "mig_web_user": getpass.getuser()}
        account = own if os.geteuid() else {"mig_user": "games", "mig_group": "games", "mig_web_user": "www-data"}
        self.inventory = {
            "mig_certs": str(self.root / "certs"),
            "mig_oidc_secrets": str(self.root / "oidc_secrets"),
            "mig_state": str(self.root / "state"),
            "__apache_set": str(self.set),
            "__apache_ext_oidc_cookies": str(self.root / "ext_oidc_cookies.conf"),
            "__apache_run": str(self.root),
            "__apache_log": str(self.root),
            **account,
            **inventory,
        }
        for path, content in self.render(**self.inventory).items():
            if not path.startswith("/"):
                (self.set / path).parent.mkdir(parents=True, exist_ok=True)
                (self.set / path).write_text(content)

    def make_secrets(self) -> None:
        """Make what logins need, as the roles apache and openid do."""
        UserAuthority(self.root / "certs", "Test").renew_revocation_list()
        secrets = self.root / "oidc_secrets"
        secrets.mkdir()
        (self.root / "ext_oidc_cookies.conf").write_text("OIDCCryptoPassphrase sample\n")
        (secrets / "mig_oidc.conf").write_text("OIDCClientSecret sample\nOIDCCryptoPassphrase sample\n")

    def issue(self, certificates: list[dict[str, Any]]) -> None:
        """Issue the certificates as the module site_certificates does."""
        wanted = [Wanted(entry["name"], tuple(entry["names"])) for entry in certificates]
        Certificates(self.root / "certs", Policy("Test", "Test certificates", 30, 10)).write(wanted)

    def check(self) -> subprocess.CompletedProcess[str]:
        """Run the check that the role runs before it makes a set live."""
        command = ["/bin/sh", str(self.set / "check"), str(self.set)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def virtual_hosts(self) -> str:
        """What Apache says that it would serve."""
        command = ["apache2", "-t", "-D", "DUMP_VHOSTS", "-d", str(self.set), "-f", "MiG.conf"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def tls(self) -> ssl.SSLContext:
        """A client that trusts the site's authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.root / "certs/ca.crt"))

    def ask(self, url: str, method: str = "GET", name: str | None = None, **headers: str) -> Response:
        """Ask the server on the loopback address; ``name`` is for TLS where it differs from the URL's."""
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        bare, _, port = host.partition(":")
        connection = http.client.HTTPConnection(bare, int(port))
        connection.sock = socket.create_connection(("127.0.0.1", int(port)), timeout=60)
        if scheme == "https":
            connection.sock = self.tls().wrap_socket(connection.sock, server_hostname=name or bare)
        connection.request(method, f"/{path}", headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return Response(answer.status, {key.lower(): value for key, value in answer.getheaders()}, body)


@pytest.fixture(scope="module")
def new_site(render: Render, evaluate: Callable[..., Any]) -> Iterator[Callable[..., ApacheSite]]:
    """Make a site with its certificates; all sites go when the module ends."""
    assert shutil.which("apache2"), "the tests need Apache: apt-get install apache2-bin"
    directories = []

    def new_site(**inventory: Any) -> ApacheSite:
        directories.append(tempfile.TemporaryDirectory(prefix="migrid-apache-"))
        root = Path(directories[-1].name)
        root.chmod(0o755)  # the workers are another user
        site = ApacheSite(root, render)
        site.write(**inventory)
        site.make_secrets()
        site.issue(evaluate("__apache_certificates", **site.inventory))
        return site

    yield new_site
    for directory in directories:
        directory.cleanup()
