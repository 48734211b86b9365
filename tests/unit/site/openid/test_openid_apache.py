"""The whole way as in a site: a browser, Apache with mod_auth_openidc as the client, the daemon, and the user store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from loopback import accepts, free_port, wait_until
from openid_site import ADA, PASSWORD, SECRET, THORDIS, Form
from sample_site import SampleSite

from migrid.provision.authority import Certificates, Policy, Wanted
from migrid.site.logins import totp
from migrid.site.openid.keys import Keys
from migrid.site.openid.sessions import Sessions
from migrid.site.openid.store import Store
from migrid.site.store import SecondFactor, UserStore

MODULES = Path("/usr/lib/apache2/modules")
FACTOR = SecondFactor("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", confirmed=True)
HTTPD = """\
ServerName localhost
ServerRoot {root}
PidFile {root}/apache.pid
ErrorLog {root}/error.log
{modules}
{account}
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    SSLEngine on
    SSLCertificateFile {root}/certs/localhost.crt
    SSLCertificateKeyFile {root}/certs/localhost.key
    DocumentRoot {root}/www
    OIDCProviderMetadataURL https://localhost:{port}/openid/.well-known/openid-configuration
    OIDCClientID portal
    OIDCClientSecret {secret}
    OIDCRedirectURI https://localhost:{port}/oidc/callback
    OIDCCryptoPassphrase a-passphrase-of-this-test-only
    OIDCPKCEMethod S256
    OIDCScope "openid profile email"
    OIDCRemoteUserClaim sub
    OIDCSSLValidateServer On
    OIDCCABundlePath {root}/certs/ca.crt
    <Location />
        AuthType openid-connect
        Require valid-user
        Header set X-User "expr=%{{REMOTE_USER}}"
        Header set X-Claims "%{{OIDC_CLAIM_email}}e|%{{OIDC_CLAIM_name}}e|%{{OIDC_CLAIM_acr}}e"
        Header set X-Organization "%{{OIDC_CLAIM_organization}}e"
    </Location>
    <Location /openid/>
        AuthType None
        Require all granted
        ProxyPass unix:{root}/openid.sock|http://openid/openid/
    </Location>
    <Location /bye>
        AuthType None
        Require all granted
    </Location>
</VirtualHost>
"""
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "ssl", "headers", "proxy", "proxy_http", "dir"),
    *("socache_shmcb", "auth_openidc"),
)


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class WholeSite:
    """A site in a real Apache: the virtual host has the portal and, below /openid/, the provider."""

    sample: SampleSite
    root: Path
    port: int

    @property
    def portal(self) -> str:
        return f"https://localhost:{self.port}/"

    @property
    def issuer(self) -> str:
        return f"{self.portal}openid/"

    def write(self) -> None:
        Certificates(self.root / "certs", Policy("Test", "Test certificates", 30, 10)).write(
            [Wanted("localhost", ("localhost",))]
        )
        for name, text in {"index.html": "the portal", "bye": "goodbye"}.items():
            (self.root / "www").mkdir(exist_ok=True)
            (self.root / "www" / name).write_text(text)
        client = {
            "client_id": "portal",
            "client_secret": SECRET,
            "redirect_uris": [f"{self.portal}oidc/callback"],
            "post_logout_redirect_uris": [f"{self.portal}bye"],
            "backchannel_logout_uri": f"{self.portal}oidc/callback?logout=backchannel",
        }
        (self.root / "clients.json").write_text(json.dumps([client]))
        self.sample.configure(globals_text=f"user_mig_oidc_issuer = {self.issuer}")
        text = HTTPD.format(
            root=self.root,
            port=self.port,
            secret=SECRET,
            modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED),
            account="" if os.geteuid() else "User nobody\nGroup nogroup",
        )
        (self.root / "httpd.conf").write_text(text)

    def daemon(self) -> list[str]:
        """The command that the unit of grid_openid runs."""
        socket_option = ["--bind", f"unix:{self.root}/openid.sock", "--umask", "0"]
        return [
            *(sys.executable, "-m", "gunicorn", *socket_option, "--workers", "1", "--threads", "4"),
            "migrid.site.openid:create_app()",
        ]

    def log(self) -> str:
        return "".join(path.read_text() for path in self.root.glob("*.log"))


@dataclass
class Page:
    """What a browser shows in the end."""

    url: str
    status: int
    headers: dict[str, str]
    body: str


class Curl:
    """A browser: curl with a cookie jar, which follows every redirection."""

    def __init__(self, site: WholeSite) -> None:
        self._directory = Path(tempfile.mkdtemp(dir=site.root))
        self._authority = site.root / "certs/ca.crt"

    def get(self, url: str, *options: str) -> Page:
        jar, headers = str(self._directory / "jar"), self._directory / "headers"
        command = ["curl", "-sS", "--location", "--cacert", str(self._authority), "--cookie", jar, "--cookie-jar", jar]
        form = ["--dump-header", str(headers), "--write-out", "\n%{http_code} %{url_effective}"]
        done = subprocess.run([*command, *form, *options, url], capture_output=True, text=True, check=True, timeout=60)
        body, _, end = done.stdout.rpartition("\n")
        status, _, last_url = end.partition(" ")
        last = headers.read_bytes().decode().strip().split("\r\n\r\n")[-1].split("\r\n")[1:]
        pairs = (line.partition(": ") for line in last)
        return Page(last_url, int(status), {name.lower(): value for name, _, value in pairs}, body)

    def submit(self, page: Page, **given: str) -> Page:
        form = Form(page.body)
        values = {**form.values, **given}
        fields = [part for name, value in values.items() for part in ("--data-urlencode", f"{name}={value}")]
        origin = "/".join(page.url.split("/")[:3])
        return self.get(f"{origin}{form.action.replace('&amp;', '&')}", *fields)

    def log_in(self, site: WholeSite, alias: str) -> Page:
        return self.submit(self.get(site.portal), login=alias, password=PASSWORD)


@pytest.fixture
def whole_site(sample_site: SampleSite) -> Iterator[WholeSite]:
    for program in ("apache2", "curl"):
        assert shutil.which(program), f"the test needs {program}"
    assert (MODULES / "mod_auth_openidc.so").exists(), "the test needs it: apt-get install libapache2-mod-auth-openidc"
    site = WholeSite(sample_site, sample_site.root, free_port())
    site.write()
    (site.root / "secret").write_text(PASSWORD)
    for user in (ADA, THORDIS):
        sample_site.inside("createuser", "-i", user, "--password-file", str(site.root / "secret"))
    with UserStore(sample_site.state / "user_db_home/MiG-users.db") as store:
        store.set_second_factor(THORDIS, FACTOR)
    environment = {
        "MIG_CONF": str(sample_site.conf),
        "MIG_OPENID_CLIENTS": str(site.root / "clients.json"),
        "SSL_CERT_FILE": str(site.root / "certs/ca.crt"),
    }
    apache = ["apache2", "-f", str(site.root / "httpd.conf"), "-D", "FOREGROUND"]
    with running(site.daemon(), site.root / "openid.log", **environment) as daemon:
        wait_until(lambda: daemon.poll() is not None or (site.root / "openid.sock").exists())
        with running(apache, site.root / "apache.log"):
            wait_until(lambda: accepts(site.port))
            wait_until(lambda: daemon.poll() is not None or Curl(site).get(f"{site.issuer}jwks").status == 200)
            assert daemon.poll() is None, site.log()
            yield site


def test_apache_lets_users_in_and_out(whole_site: WholeSite) -> None:
    site, curl = whole_site, Curl(whole_site)
    page = curl.get(site.portal)
    assert page.url.startswith(f"{site.issuer}authorize?"), f"{page}\n{site.log()}"
    page = curl.submit(page, login="ada@example.org", password="Wrong-Pass-1")
    assert "The login or the password is wrong" in page.body
    page = curl.submit(page, login="ada@example.org", password=PASSWORD)
    assert (page.url, page.status, page.body) == (site.portal, 200, "the portal"), f"{page}\n{site.log()}"
    assert page.headers["x-user"] == ADA
    assert page.headers["x-claims"].startswith("ada@example.org|Ada Example|")
    assert page.headers["x-organization"] == "Test Org"

    other = Curl(site)
    page = other.log_in(site, "thordis@example.org")
    step = int(time.time()) // 30
    page = other.submit(page, code=totp.code_at(FACTOR.secret, step))
    assert page.body == "the portal", f"{page}\n{site.log()}"
    assert page.headers["x-user"] == THORDIS
    assert page.headers["x-claims"] == "thordis@example.org|Þórdís Sýnishorn|https://refeds.org/profile/mfa"

    page = other.get(f"{site.portal}oidc/callback?logout={site.portal}bye")
    assert page.body == "goodbye", f"{page}\n{site.log()}"
    assert other.get(site.portal).url.startswith(site.issuer)
    assert curl.get(site.portal).body == "the portal"

    lines = (site.sample.state / "log/auth.log").read_text().splitlines()
    assert len(lines) == 4
    assert all(" 127.0.0.1 " in line for line in lines)

    # as the settings page of the portal does it, in another process than the daemon
    sessions = Sessions(Store(site.sample.state / "openid_store"), 43200)
    assert sessions.end_of_user(ADA) == 1
    assert wait_until(lambda: curl.get(site.portal).url.startswith(site.issuer)), site.log()


def test_logins_go_on_after_the_keys_were_rotated(whole_site: WholeSite) -> None:
    site, curl = whole_site, Curl(whole_site)
    assert curl.log_in(site, "ada@example.org").body == "the portal", site.log()
    Keys(site.sample.state / "openid_store/keys", 43200).rotate()
    other = Curl(site)
    assert other.log_in(site, "ada@example.org").body == "the portal", site.log()
    assert len(json.loads(curl.get(f"{site.issuer}jwks").body)["keys"]) == 2
