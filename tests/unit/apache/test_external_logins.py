"""Logins that another authority or another OpenID Connect provider vouches for, in the real Apache.

The provider is an independent implementation, as a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from authorities import Authority
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import accepts, free_port, free_ports, wait_until

NAMES = ("cert", "ext-cert", "ext-oidc")
PAGES = """\
import json

def create_app():
    def pages(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        names = "MIG_LOGIN_METHOD", "SSL_CLIENT_S_DN_CN", "OIDC_CLAIM_sub", "OIDC_CLAIM_email", "REMOTE_USER"
        return [json.dumps({name: environ.get(name, "") for name in (*names, "HTTP_COOKIE")}).encode()]
    return pages
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of the other provider, which knows everybody by the name that they type."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port)]
    command += ["--require-registration", "false", "--user-claims", json.dumps({"sub": "ada", "email": "ada@id.test"})]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            assert wait_until(lambda: accepts(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("Other")


@pytest.fixture(scope="module")
def revocation_list(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("other") / "crl.pem"
    path.write_bytes(authority.revoke())
    return path


@pytest.fixture(scope="module")
def code(open_directory: Path) -> Path:
    """An installation whose portal tells what it learns of a visitor."""
    code = open_directory / "code"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", code / "venv"], check=True)
    [packages] = (code / "venv/lib").glob("python*/site-packages")
    (packages / "migrid/site").mkdir(parents=True)
    for name in ("portal", "signup"):
        (packages / f"migrid/site/{name}.py").write_text(PAGES)
    return code


@pytest.fixture(scope="module")
def site(
    new_site: Callable[..., Any], provider: str, authority: Authority, revocation_list: Path, code: Path
) -> Iterator[Any]:
    http_port, port = free_ports(2)
    site = new_site(
        mig_code=str(code),
        mig_public_http_port=http_port,
        mig_public_https_port=port,
        mig_sid_port=port,
        mig_public_alias_fqdn="also.grid.example.org",
        mig_public_sec_fqdn="sec.grid.example.org",
        mig_status_alias_fqdn="status.grid.example.org",
        mig_io_fqdn="io.grid.example.org",
        mig_cert_fqdn="cert.grid.example.org",
        mig_cert_port=port,
        mig_ext_cert_fqdn="ext-cert.grid.example.org",
        mig_ext_cert_port=port,
        apache_ext_cert_authority=authority.certificate.public_bytes(Encoding.PEM).decode(),
        apache_ext_cert_revocation_list=str(revocation_list),
        mig_ext_oidc_fqdn="ext-oidc.grid.example.org",
        mig_ext_oidc_port=port,
        mig_ext_oidc_provider_meta_url=f"{provider}/.well-known/openid-configuration",
        mig_ext_oidc_client_id="site",
        mig_ext_oidc_client_secret="between the two",
        mig_enable_vhost_certs=False,
    )
    with subprocess.Popen(["apache2", "-D", "FOREGROUND", "-d", str(site.set), "-f", "MiG.conf"]) as server:
        try:
            assert wait_until(lambda: accepts(port))
            yield site
        finally:
            server.terminate()


class Browser:
    """curl with the cookies of one visitor."""

    def __init__(self, site: Any, jar: Path) -> None:
        self.port = site.inventory["mig_public_https_port"]
        self._base = ["curl", "-sS", "--cacert", str(site.root / "certs/ca.crt"), "-b", str(jar), "-c", str(jar)]
        self._base += ["-w", "\n%{http_code} %{url_effective}", "--resolve", f"*:{self.port}:127.0.0.1"]

    def get(self, name: str, path: str = "/wsgi-bin/dashboard.py", *arguments: str) -> tuple[int, str, str]:
        """Status, address in the end, and body."""
        return self.url(f"https://{name}.grid.example.org:{self.port}{path}", *arguments)

    def url(self, url: str, *arguments: str) -> tuple[int, str, str]:
        answer = subprocess.run([*self._base, *arguments, url], capture_output=True, text=True, check=False)
        body, _, last = answer.stdout.rpartition("\n")
        status, _, address = last.partition(" ")
        return int(status), address, body


@pytest.fixture
def browser(site: Any, tmp_path: Path) -> Browser:
    return Browser(site, tmp_path / "cookies")


def test_a_login_by_the_other_provider(browser: Browser, provider: str) -> None:
    status, form, _ = browser.get("ext-oidc", "/wsgi-bin/fileman.py?path=a", "-L")
    assert (status, form.startswith(f"{provider}/")) == (200, True)
    status, page, body = browser.url(form, "-L", "--data", "sub=ada")
    told = json.loads(body)
    assert (status, urlsplit(page).path, urlsplit(page).query) == (200, "/wsgi-bin/fileman.py", "path=a")
    assert told["MIG_LOGIN_METHOD"] == "extoidc"
    assert (told["OIDC_CLAIM_sub"], told["REMOTE_USER"]) == ("ada", "ada")
    assert "mod_auth_openidc" not in told["HTTP_COOKIE"]
    assert browser.get("ext-oidc")[0] == 200, "the login lasts"


def test_nobody_gets_in_without_the_other_provider(browser: Browser, provider: str) -> None:
    status, form, body = browser.get("ext-oidc", "/wsgi-bin/dashboard.py", "-L", "-H", "OIDC_CLAIM_sub: ada")
    assert (status, form.startswith(provider), "MIG_LOGIN_METHOD" in body) == (200, True, False)
    status, _, body = browser.get("ext-oidc", "/oidc/callback?code=x&state=y")
    assert (status >= 400, "MIG_LOGIN_METHOD" in body) == (True, False)


def test_a_certificate_of_the_other_authority_counts_on_its_virtual_host_only(
    browser: Browser, authority: Authority, tmp_path: Path
) -> None:
    file, _ = authority.issue(tmp_path, "ada")
    shown = ("--cert", str(file), "--key", str(file))
    status, _, body = browser.get("ext-cert", "/wsgi-bin/dashboard.py", *shown)
    assert (status, json.loads(body)["MIG_LOGIN_METHOD"]) == (200, "extcert")
    assert browser.get("cert", "/wsgi-bin/dashboard.py", *shown)[0] == 0
    assert browser.get("ext-cert")[0] == 0


def test_a_certificate_that_the_other_authority_took_back_counts_no_longer(
    site: Any, browser: Browser, authority: Authority, revocation_list: Path, tmp_path: Path
) -> None:
    file, certificate = authority.issue(tmp_path, "bo")
    shown = ("--cert", str(file), "--key", str(file))
    assert browser.get("ext-cert", "/wsgi-bin/dashboard.py", *shown)[0] == 200
    revocation_list.write_bytes(authority.revoke(certificate))
    subprocess.run(["apache2", "-d", str(site.set), "-f", "MiG.conf", "-k", "graceful"], check=True)
    assert wait_until(lambda: browser.get("ext-cert", "/wsgi-bin/dashboard.py", *shown)[0] == 0)


@pytest.mark.parametrize("name", ["also", "sec"])
def test_other_names_show_what_is_public(site: Any, browser: Browser, name: str) -> None:
    assert browser.get(name, "/")[2] == browser.get("www", "/")[2]


def test_the_state_of_the_site_has_a_name_of_its_own(browser: Browser) -> None:
    assert browser.get("status", "/")[0] == 302
    assert browser.get("status", "/", "-L")[1].endswith("/status/")


def test_the_name_of_the_access_services_leads_a_browser_on(browser: Browser) -> None:
    status, address, _ = browser.get("io", "/", "-L")
    assert (status, address) == (200, f"https://www.grid.example.org:{browser.port}/")


def test_one_certificate_covers_all_names(site: Any) -> None:
    certificates = {path.stem for path in (site.root / "certs").glob("*.crt")}
    assert certificates == {"ca", "site"}
