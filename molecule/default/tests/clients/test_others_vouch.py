"""Logins that another OpenID Connect provider or another authority vouches for, in the whole site."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Browser
from conftest import PROJECT

ADDRESS, PORT = "172.30.78.1", 9480
STRANGER = "There is no account of this name"
PEOPLE = [
    {"sub": "carl", "name": "Carl Example", "email": "carl@id.test", "email_verified": True},
    {"sub": "eve", "name": "Eve Example", "email": "eve@elsewhere.test", "email_verified": True},
    {"sub": "mallory", "name": "Mallory Example", "email": "mallory@id.test", "email_verified": False},
]
KEY_USER = "/C=NA/ST=NA/L=NA/O=NA/OU=NA/CN=Key User/emailAddress=key.user@example.org"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """An independent provider, on the control node."""
    people = [word for person in PEOPLE for word in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--host", ADDRESS, "--port", str(PORT), *people]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while server.poll() is None:
                with socket.socket() as client:
                    if client.connect_ex((ADDRESS, PORT)) == 0:
                        break
            assert server.poll() is None
            yield f"http://{ADDRESS}:{PORT}"
        finally:
            server.terminate()


@pytest.fixture
def users(host: Any) -> Iterator[Any]:
    """The logins that the site knows."""

    def logins() -> list[str]:
        return [user["alias"] for user in json.loads(host.check_output("mig users --json"))]

    yield logins
    for person in PEOPLE:
        host.run(f"mig deleteuser -i {person['email']} --yes --remove-data")


def log_in(browser: Browser, site: Any, provider: str, name: str) -> str:
    """What somebody sees whom the provider lets in."""
    form = browser.open(f"https://{site.variables['mig_ext_oidc_fqdn']}/wsgi-bin/dashboard.py")
    address = form.stdout.splitlines()[-1]
    assert address.startswith(f"{provider}/"), form.stdout + form.stderr
    return browser.open(address, "--data", f"sub={name}").stdout


def test_who_comes_from_the_other_provider_becomes_a_user_and_stays_one(
    site: Any, provider: str, users: Any, tmp_path: Path
) -> None:
    assert "carl@id.test" not in users()
    page = log_in(Browser(site, tmp_path / "first"), site, provider, "carl")
    assert "Welcome, Carl Example" in page, page
    assert "carl@id.test" in users()
    assert "Welcome, Carl Example" in log_in(Browser(site, tmp_path / "again"), site, provider, "carl")
    assert users().count("carl@id.test") == 1


@pytest.mark.parametrize("name", ["eve", "mallory"])
def test_others_from_there_stay_strangers(site: Any, provider: str, users: Any, tmp_path: Path, name: str) -> None:
    before = users()
    page = log_in(Browser(site, tmp_path / "jar"), site, provider, name)
    assert "Welcome" not in page
    assert STRANGER in page, page
    assert users() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [(KEY_USER, "Welcome, Key User"), (KEY_USER.replace("Key", "Kay"), STRANGER)],
)
def test_a_certificate_of_the_other_authority_is_its_name_and_no_other(
    site: Any, tmp_path: Path, name: str, words: str
) -> None:
    key, certificate = tmp_path / "user.key", tmp_path / "user.pem"
    authority = PROJECT / "build/molecule"
    issuer = ["-CA", authority / "authority.pem", "-CAkey", authority / "authority.key"]
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]
    command = ["openssl", "req", "-x509", *new_key, "-days", "1", "-subj", name, *issuer, "-out", certificate]
    subprocess.run(command, capture_output=True, check=True)
    shown = ["--cert", str(certificate), "--key", str(key)]
    page = site.get(f"https://{site.variables['mig_ext_cert_fqdn']}/", "--location", *shown)
    assert words in page.stdout, page.stdout + page.stderr
