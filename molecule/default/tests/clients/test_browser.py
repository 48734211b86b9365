"""The portal in Chromium: what a user, an administrator and somebody without an account do there."""

from __future__ import annotations

import base64
import hmac
import io
import re
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSPHRASE, attempts, certificate_of
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tunnel import tunnel_to

DEBIAN = "13"
"""The same pages are on every host; one is enough."""
USER = "browser.user@example.org"
NAME = "Browser User"
PASSWORD = "Sample-Pass-01"
APPLICANT = "new.person@example.org"
SCREENSHOTS = Path(__file__).parents[4] / "build/screenshots"
PAGES = ("dashboard.py", "fileman.py", "trash.py", "settings.py", "migadmin.py")
FIELDS = "input:not([type=hidden]), select, textarea, button"
UNLABELLED = """(fields) => [...document.querySelectorAll(fields)]
    .filter((field) => !field.labels?.length && !field.ariaLabel && !field.textContent.trim())
    .map((field) => field.outerHTML)"""
TOO_WIDE = "document.scrollingElement.scrollWidth > window.innerWidth"
PATIENCE = 60_000
"""Milliseconds, as all times of Playwright: also for a machine that has other work."""
expect.set_options(timeout=PATIENCE)

NewContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def variables(host: Any) -> dict[str, Any]:
    found: dict[str, Any] = host.ansible.get_variables()
    if host.system_info.release != DEBIAN:
        pytest.skip(f"the browser is tested on Debian {DEBIAN}")
    return found


@pytest.fixture(scope="module")
def portal(variables: dict[str, Any], host: Any) -> Iterator[str]:
    """The address of the portal, for a user with a password, who is an administrator and has no files yet."""
    remove = " ; ".join(f"mig deleteuser -i {user} --yes --remove-data" for user in (USER, APPLICANT))
    host.run(remove)
    host.check_output(f"printf '{PASSWORD}\\n' | mig createuser --full-name '{NAME}' --email {USER} --password-stdin")
    yield f"https://{variables['mig_oidc_fqdn']}/wsgi-bin"
    host.run(remove)


@pytest.fixture(scope="module")
def chromium(variables: dict[str, Any]) -> Iterator[Browser]:
    names = f"MAP *.{variables['mig_base_fqdn']} {variables['system_container_address']}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", f"--host-resolver-rules={names}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """A browser of one person. What its console complains about is an error in the end."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = chromium.new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(PATIENCE)
        context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_context: NewContext, portal: str) -> Page:
    """The dashboard of somebody who has just logged in."""
    return logged_in(new_context().new_page(), portal)


def logged_in(page: Page, portal: str, user: str = USER) -> Page:
    page.goto(f"{portal}/dashboard.py")
    page.get_by_label("Login").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def shot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def code_of(secret: str, later: int = 0) -> str:
    """What an authenticator app shows (RFC 6238), so many steps from now."""
    step = int(time.time()) // 30 + later
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), "sha1")
    number = int.from_bytes(digest[digest[-1] & 15 :][:4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def test_the_dashboard_follows_the_login(new_context: NewContext, portal: str) -> None:
    page = new_context().new_page()
    page.goto(f"{portal}/dashboard.py")
    shot(page, "login")
    logged_in(page, portal)
    expect(page.get_by_role("heading", name=f"Welcome, {NAME}")).to_be_visible()
    expect(page).to_have_url(f"{portal}/dashboard.py")
    shot(page, "dashboard")
    page.get_by_role("link", name="Log out").click()
    page.goto(f"{portal}/dashboard.py")
    expect(page.get_by_label("Password")).to_be_visible()


def test_who_has_a_certificate_needs_no_password(
    new_context: NewContext, portal: str, variables: dict[str, Any], host: Any
) -> None:
    """Playwright looks names up itself where it shows certificates, so it goes through a proxy that knows them."""
    site = f"https://{variables['mig_cert_fqdn']}"
    shown = {"origin": site, "pfx": certificate_of(host, USER), "passphrase": PASSPHRASE}
    with tunnel_to(variables["system_container_address"]) as proxy:
        page = new_context(client_certificates=[shown], proxy={"server": proxy}).new_page()
        page.goto(f"{site}/")
        expect(page.get_by_role("heading", name=f"Welcome, {NAME}")).to_be_visible()
        expect(page.get_by_text("You came in with a certificate of this site.")).to_be_visible()
        expect(page).to_have_url(f"{site}/wsgi-bin/dashboard.py")
        shot(page, "dashboard-certificate")
        page.get_by_role("link", name="Files").click()
        expect(page.get_by_label("Files, several at once")).to_be_visible()
    assert attempts(host)[-1].split()[:2] == ["web", "migcert"]


def test_files_go_up_move_come_down_and_come_back(page: Page, portal: str, tmp_path: Path) -> None:
    contents = {"first.txt": b"one\n", "second æ.bin": bytes(range(256)) * 4096}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    page.get_by_role("link", name="Files").click()
    page.get_by_label("Files, several at once").set_input_files([tmp_path / name for name in contents])
    page.get_by_role("button", name="Upload").click()
    for name in contents:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).fill("folder")
    page.get_by_role("button", name="Make").click()
    expect(page.get_by_role("status")).to_contain_text("The folder folder is there.")

    page.get_by_role("link", name="Rename or move first.txt").click()
    shot(page, "move")
    page.get_by_label("New name").fill("folder/")
    page.get_by_role("button", name="Move").click()
    page.get_by_label("Choose second æ.bin").check()
    shot(page, "files")
    page.get_by_role("button", name="Put the chosen ones into the trash").click()
    expect(page.get_by_role("link", name="second æ.bin", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="second æ.bin", exact=True).click()
    assert Path(download.value.path()).read_bytes() == contents["second æ.bin"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download folder as ZIP archive").click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert archive.read("folder/first.txt") == b"one\n"


def test_a_key_and_a_password_of_one_service_open_it_at_once(page: Page, tmp_path: Path, variables: Any) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f", key], check=True)
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Another key").fill(key.with_suffix(".pub").read_text())
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_role("status")).to_have_text("The key counts from now on.")
    expect(page.get_by_role("cell", name="laptop", exact=True)).to_be_visible()
    sftp = ["sftp", "-b", "-", "-i", key, "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null"]
    port = ["-P", str(variables["mig_sftp_port"]), f"{USER}@{variables['system_container_address']}"]
    deadline = time.monotonic() + 10
    while subprocess.run([*sftp, *port], input=b"ls\n", capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < deadline, "the key does not count"

    page.get_by_text("A password of its own for SFTP").click()
    page.locator("#service-sftp-new").fill("Other-Pass-02")
    page.locator("#service-sftp-again").fill("Other-Pass-02")
    page.get_by_role("button", name="Set it for SFTP").click()
    expect(page.get_by_role("status")).to_have_text("The service has a password of its own.")
    shot(page, "settings")
    page.get_by_role("button", name="Take your general password for SFTP again").click()
    page.get_by_role("button", name="Remove the key laptop").click()
    expect(page.get_by_role("status")).to_have_text("The key counts no longer.")


def test_a_second_factor_is_needed_once_it_is_set_up(new_context: NewContext, page: Page, portal: str) -> None:
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Set up a second factor").click()
    secret = page.locator("#secret").inner_text()
    expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
    shot(page, "second-factor")
    page.get_by_label("Enter the code that the app shows now").fill(code_of(secret, -1))
    page.get_by_role("button", name="Use the second factor from now on").click()
    expect(page.get_by_role("status")).to_contain_text("you need a code")

    other = logged_in(new_context().new_page(), portal)
    other.get_by_label("Code").fill(code_of(secret))
    shot(other, "code")
    other.get_by_role("button").click()
    expect(other.get_by_role("heading", name=f"Welcome, {NAME}")).to_be_visible()

    page.get_by_text("Switch it off").click()
    form = page.locator("details", has_text="Switch it off")
    form.get_by_label("Present password").fill(PASSWORD)
    form.get_by_label("Code of your authenticator app").fill(code_of(secret, 1))
    form.get_by_role("button").click()
    expect(page.get_by_role("status")).to_have_text("Logins need no code any more.")


def test_an_administrator_lets_somebody_in(
    new_context: NewContext, page: Page, portal: str, variables: dict[str, Any]
) -> None:
    person = new_context().new_page()
    person.goto(f"https://{variables['mig_sid_fqdn']}/cgi-sid/login.py")
    shot(person, "ways-in")
    person.get_by_role("link", name="Ask for one").click()
    answers = {"Full name": "New Person", "E-mail address": APPLICANT, "Password": PASSWORD, "Password again": PASSWORD}
    for label, text in answers.items():
        person.get_by_label(label, exact=label == "Password").fill(text)
    person.get_by_label("Why you ask").fill("I work with Browser User.")
    shot(person, "sign-up")
    person.get_by_role("button", name="Send the request").click()
    expect(person.get_by_role("heading", name="Thank you")).to_be_visible()

    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_role("article", name="Request of New Person")).to_contain_text("I work with Browser User.")
    shot(page, "administration")
    page.get_by_role("button", name="Accept New Person").click()
    expect(page.get_by_role("status")).to_have_text("New Person is a user now.")
    page.get_by_label("Name, address or comment").fill("new.person")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=APPLICANT).click()
    expect(page.get_by_role("button", name="Suspend")).to_be_visible()
    shot(page, "user")
    expect(logged_in(person, portal, APPLICANT).get_by_role("heading", name="Welcome, New Person")).to_be_visible()


def test_without_scripts_all_but_the_progress_works(new_context: NewContext, portal: str, tmp_path: Path) -> None:
    page = logged_in(new_context(java_script_enabled=False).new_page(), portal)
    (tmp_path / "plain.txt").write_text("plain\n")
    page.get_by_role("link", name="Files").click()
    page.get_by_label("Files, several at once").set_input_files(tmp_path / "plain.txt")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text("plain.txt is there.")
    page.get_by_role("link", name=re.compile("^Changed")).click()
    page.get_by_label("Choose plain.txt").check()
    page.get_by_role("button", name="Put the chosen ones into the trash").click()
    expect(page.get_by_role("status")).to_contain_text("plain.txt is in the trash.")


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light"), (1280, "dark")])
def test_every_page_fits_and_names_its_fields(new_context: NewContext, portal: str, width: int, scheme: str) -> None:
    context = new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = logged_in(context.new_page(), portal)
    for name in PAGES:
        page.goto(f"{portal}/{name}")
        shot(page, f"{name.removesuffix('.py')}-{width}-{scheme}")
        assert not page.evaluate(TOO_WIDE), name
        assert page.evaluate(UNLABELLED, FIELDS) == [], name
