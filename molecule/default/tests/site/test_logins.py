"""Logins in the browser, with curl as the browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import Browser, form_token
from conftest import PASSPHRASE, attempts, certificate_of

USER = "key.user@example.org"
NAME = "Key User"
PASSWORD = "Sample-Pass-02"


@pytest.fixture
def new_browser(site: Any, tmp_path: Path) -> Callable[[str], Browser]:
    return lambda name: Browser(site, tmp_path / name)


@pytest.fixture
def dashboard(site: Any) -> str:
    return f"https://{site.variables['mig_oidc_fqdn']}/wsgi-bin/dashboard.py"


@pytest.fixture(scope="module")
def account(host: Any) -> None:
    """Give the user a password."""
    host.check_output(f"printf '{PASSWORD}\\n' | mig edituser -i {USER} --password-stdin")


@pytest.fixture
def certificate(host: Any, tmp_path: Path) -> Path:
    """A certificate of the user."""
    path = tmp_path / "user.p12"
    path.write_bytes(certificate_of(host, USER))
    return path


def with_certificate(path: Path) -> list[str]:
    return ["--cert-type", "P12", "--cert", f"{path}:{PASSPHRASE}"]


def test_who_knows_the_password_gets_to_the_dashboard(
    new_browser: Callable[[str], Browser], dashboard: str, account: None, host: Any
) -> None:
    browser = new_browser("ada")
    form = browser.open(dashboard)
    assert 'autocomplete="current-password"' in form.stdout, form.stdout + form.stderr
    page = browser.send(form, login=USER, password=PASSWORD)
    assert f"Welcome, {NAME}" in page.stdout, page.stdout + page.stderr
    assert page.stdout.splitlines()[-1] == dashboard
    assert f"Welcome, {NAME}" in browser.open(dashboard).stdout
    assert attempts(host)[-1].startswith("web migoidc ")


def test_a_wrong_password_is_told_and_nothing_more(
    new_browser: Callable[[str], Browser], dashboard: str, account: None
) -> None:
    browser = new_browser("guess")
    answers = [browser.send(browser.open(dashboard), login=login, password="Guess-1") for login in (USER, "nobody")]
    problems = [re.findall(r'class="problem"[^>]*>([^<]*)<', answer.stdout) for answer in answers]
    assert problems[0] == problems[1] != []


def test_a_session_that_is_ended_from_another_browser_is_over(
    new_browser: Callable[[str], Browser], dashboard: str, account: None
) -> None:
    browser, other = new_browser("mine"), new_browser("lost")
    for each in (browser, other):
        assert f"Welcome, {NAME}" in each.send(each.open(dashboard), login=USER, password=PASSWORD).stdout
    settings = browser.open(dashboard.replace("dashboard.py", "settings.py"))
    token = form_token(settings)
    assert token, settings.stdout
    end = dashboard.replace("dashboard.py", "endsessions.py")
    assert "This browser" in browser.open(end, "--data", f"form_token={token}").stdout
    deadline = time.monotonic() + 30
    while 'autocomplete="current-password"' not in other.open(dashboard).stdout:
        assert time.monotonic() < deadline, "it goes on"
    assert f"Welcome, {NAME}" in browser.open(dashboard).stdout


def test_files_go_up_and_come_down(
    new_browser: Callable[[str], Browser], dashboard: str, account: None, tmp_path: Path, host: Any
) -> None:
    browser = new_browser("files")
    browser.send(browser.open(dashboard), login=USER, password=PASSWORD)
    files = dashboard.replace("dashboard.py", "fileman.py")
    page = browser.open(files)
    token = form_token(page)
    assert token, page.stdout
    content = tmp_path / "data.bin"
    content.write_bytes(bytes(range(256)) * 20_000)
    upload = files.replace("fileman.py", "upload.py?replace=1")
    sent = browser.open(upload, "--form", f"form_token={token}", "--form", f"file=@{content}")
    assert "data.bin is there." in sent.stdout, sent.stdout + sent.stderr
    assert host.check_output(f"stat -c '%U %s' /home/mig/state/user_home/{USER}/data.bin") == f"mig {256 * 20_000}"
    back = tmp_path / "back.bin"
    browser.open(files.replace("fileman.py", "cat.py?path=data.bin"), "--output", str(back))
    assert back.read_bytes() == content.read_bytes()


def test_who_has_a_certificate_gets_in_without_a_password(site: Any, certificate: Path) -> None:
    page = site.get(f"https://{site.variables['mig_cert_fqdn']}/", "--location", *with_certificate(certificate))
    assert f"Welcome, {NAME}" in page.stdout, page.stdout + page.stderr
    assert "with a certificate of this site" in page.stdout


def test_without_a_certificate_nobody_gets_in(site: Any) -> None:
    assert site.get(f"https://{site.variables['mig_cert_fqdn']}/").returncode != 0


def test_a_revoked_certificate_counts_no_longer(site: Any, host: Any, certificate: Path) -> None:
    url = f"https://{site.variables['mig_cert_fqdn']}/"
    assert site.get(url, "--location", *with_certificate(certificate)).returncode == 0
    host.check_output(f"mig usercert --revoke {USER}")
    deadline = time.monotonic() + 30
    while site.get(url, *with_certificate(certificate)).returncode == 0:
        assert time.monotonic() < deadline, "it still counts"


def test_the_workers_of_apache_own_nothing_of_the_site(host: Any) -> None:
    owners = set(host.check_output("ps -o user= -C apache2").split())
    assert owners == {"root", "www-data", "mig"}
    assert host.run("runuser -u www-data -- ls /home/mig").rc != 0
