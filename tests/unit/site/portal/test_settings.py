"""The page of settings, asked as Apache asks it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from portal_browser import ADA, BO, Browser
from sample_site import SampleSite
from werkzeug.test import TestResponse

from migrid.site.configuration import load
from migrid.site.logins import Attempt, Logins, Method, Reason, Service, totp
from migrid.site.openid.sessions import Login, Sessions
from migrid.site.openid.store import Store
from migrid.site.portal.application import build
from migrid.site.store import User, UserStore

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
PASSWORD = "Sample-Pass-01"
OTHER_PASSWORD = "Sample-Pass-02"


@pytest.fixture
def client(sample_site: SampleSite, tmp_path: Path) -> FlaskClient:
    issuer = "user_mig_oidc_issuer = https://oidc.grid.example.org/openid/"
    sample_site.configure(issuer, "enable_openid = True")
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    for name in (ADA, BO):
        sample_site.inside("createuser", "-i", name, "--password-file", str(password))
    return build(load(sample_site.conf)).test_client()


@pytest.fixture
def user_now(sample_site: SampleSite) -> Callable[[], User]:
    """Ada as the user store has her now."""

    def now() -> User:
        with UserStore(load(sample_site.conf).user_db_path, read_only=True) as store:
            found = store.find(ADA)
            assert found
            return found

    return now


@pytest.fixture
def sessions(sample_site: SampleSite, client: FlaskClient, user_now: Callable[[], User]) -> Sessions:
    return Sessions(Store(load(sample_site.conf).openid_store), 600)


@pytest.fixture
def fresh(ada: Browser) -> Browser:
    """Ada has just logged in."""
    ada.claim(auth_time=str(int(time.time())))
    return ada


def confirm(browser: Browser, password: str = PASSWORD, **fields: str) -> TestResponse:
    return browser.post("confirm.py", {"page": "settings.settings", "present_password": password, **fields})


def opens(site: SampleSite, service: Service, password: str, code: str = "") -> Reason:
    method = Method.MIGOIDC if service is Service.WEB else Method.PASSWORD
    return Logins(load(site.conf)).by_password(Attempt(service, method, ADA, "192.0.2.9"), password, code).reason


def test_a_key_comes_and_goes(fresh: Browser, user_now: Callable[[], User], sample_site: SampleSite) -> None:
    page = fresh.shown_after(fresh.post("addkey.py", {"key": f"{KEY} my laptop\n"}))
    assert "The key counts from now on." in page
    assert "my laptop" in page
    assert user_now().public_keys == (f"{KEY} my laptop",)
    assert (sample_site.accounts / "keys/ada@example.org").exists()
    [fingerprint] = set(re.findall(r'name="fingerprint" value="([^"]*)"', page))
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", fingerprint)
    fresh.shown_after(fresh.post("rmkey.py", {"fingerprint": fingerprint}))
    assert user_now().public_keys == ()
    assert not (sample_site.accounts / "keys/ada@example.org").exists()


@pytest.mark.parametrize("key", ["", "nonsense", KEY[:-9], "-----BEGIN OPENSSH PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_with_the_reason(fresh: Browser, user_now: Callable[[], User], key: str) -> None:
    answer = fresh.post("addkey.py", {"key": key})
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert user_now().public_keys == ()


SENSITIVE = {
    "addkey.py": {"key": KEY},
    "rmkey.py": {"fingerprint": "SHA256:x"},
    "servicepassword.py": {"service": "sftp", "password": OTHER_PASSWORD, "again": OTHER_PASSWORD},
    "clearpassword.py": {"service": "sftp"},
    "twofactor.py": {},
    "twofactorconfirm.py": {"code": "000000"},
}


@pytest.mark.parametrize("page", SENSITIVE)
def test_an_open_browser_is_not_enough_to_change_what_opens_the_account(
    ada: Browser, user_now: Callable[[], User], page: str
) -> None:
    before = user_now()
    answer = ada.post(page, SENSITIVE[page])
    assert answer.status_code == 403
    assert "Confirm that it is you" in answer.text
    assert user_now() == before


def test_the_password_once_more_is_enough_for_a_while(ada: Browser, user_now: Callable[[], User]) -> None:
    assert "Add the key" not in ada.get("settings.py").text
    assert "The present password is wrong." in confirm(ada, "wrong").text
    assert "Add the key" not in ada.get("settings.py").text
    assert "Add the key" in ada.shown_after(confirm(ada))
    ada.post("addkey.py", {"key": KEY})
    assert user_now().public_keys == (KEY,)


def test_a_confirmation_is_of_no_use_to_another_user(client: FlaskClient, ada: Browser) -> None:
    confirm(ada)
    cookie = client.get_cookie("__Host-migrid-confirmed", domain="grid.example.org")
    assert cookie
    assert cookie.secure
    assert cookie.http_only
    bo = Browser(client, BO)
    assert bo.post("addkey.py", {"key": KEY}).status_code == 403


def test_guesses_at_the_present_password_have_to_wait(ada: Browser) -> None:
    answers = [confirm(ada, f"Guess-{number}") for number in range(6)]
    assert "Try again in" in answers[-1].text
    assert "too many wrong passwords" in confirm(ada).text


def test_a_confirmation_leads_nowhere_else(ada: Browser) -> None:
    answer = ada.post("confirm.py", {"page": "https://evil.example/", "present_password": PASSWORD})
    assert answer.headers["Location"] == "/wsgi-bin/settings.py"


@pytest.mark.parametrize("page", [*SENSITIVE, "password.py", "twofactoroff.py", "endsession.py", "confirm.py"])
def test_no_other_site_can_send_a_form(fresh: Browser, user_now: Callable[[], User], page: str) -> None:
    before = user_now()
    assert fresh.send("POST", page, data=SENSITIVE.get(page, {}) | {"form_token": "0" * 64}).status_code == 403
    assert user_now() == before


def test_a_new_password_counts_at_once_and_the_old_one_no_longer(ada: Browser, sample_site: SampleSite) -> None:
    new = {"password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    page = ada.shown_after(ada.post("password.py", {"present_password": PASSWORD, **new}))
    assert "You have a new password." in page
    assert opens(sample_site, Service.WEB, OTHER_PASSWORD) is Reason.GRANTED
    assert opens(sample_site, Service.SFTP, PASSWORD) is Reason.WRONG


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"present_password": "wrong"}, "The present password is wrong."),
        ({"again": "Other-Pass-99"}, "The two new passwords differ."),
        ({"password": "weak", "again": "weak"}, "is too short"),
        ({"password": "", "again": ""}, "Enter the new password."),
    ],
)
def test_a_password_that_cannot_be_set_changes_nothing(
    ada: Browser, user_now: Callable[[], User], fields: dict[str, str], problem: str
) -> None:
    before = user_now()
    right = {"present_password": PASSWORD, "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    answer = ada.post("password.py", right | fields)
    assert problem in answer.text
    assert answer.status_code in (400, 403)
    assert OTHER_PASSWORD not in answer.text
    assert user_now() == before


def test_a_service_can_have_a_password_of_its_own(fresh: Browser, sample_site: SampleSite) -> None:
    fields = {"service": "sftp", "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    assert "The service has a password of its own." in fresh.shown_after(fresh.post("servicepassword.py", fields))
    assert opens(sample_site, Service.SFTP, OTHER_PASSWORD) is Reason.GRANTED
    assert opens(sample_site, Service.SFTP, PASSWORD) is Reason.WRONG
    assert opens(sample_site, Service.WEB, PASSWORD) is Reason.GRANTED
    fresh.shown_after(fresh.post("clearpassword.py", {"service": "sftp"}))
    assert opens(sample_site, Service.SFTP, PASSWORD) is Reason.GRANTED


def test_a_service_that_the_site_does_not_have_gets_no_password(fresh: Browser, user_now: Callable[[], User]) -> None:
    fields = {"service": "web", "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    assert fresh.post("servicepassword.py", fields).status_code == 400
    assert user_now().services == ()


def test_a_second_factor_is_set_up_used_and_switched_off(fresh: Browser, sample_site: SampleSite) -> None:
    page = fresh.post("twofactor.py", {}).text
    [secret] = re.findall(r'<code id="secret">([A-Z2-7]+)</code>', page)
    [uri] = re.findall(r'href="(otpauth://[^"]*)"', page)
    assert parse_qs(urlsplit(uri.replace("&amp;", "&")).query)["secret"] == [secret]
    assert '<svg class="qr"' in page
    assert secret not in fresh.get("settings.py").text
    assert opens(sample_site, Service.WEB, PASSWORD) is Reason.GRANTED

    wrong = fresh.post("twofactorconfirm.py", {"code": "000000"})
    assert "The code is wrong." in wrong.text
    step = int(time.time()) // totp.STEP_SECONDS
    on = fresh.post("twofactorconfirm.py", {"code": totp.code_at(secret, step)})
    assert "you need a code" in fresh.shown_after(on)
    assert opens(sample_site, Service.WEB, PASSWORD) is Reason.CODE_MISSING
    assert opens(sample_site, Service.SFTP, PASSWORD) is Reason.GRANTED
    assert fresh.post("twofactor.py", {}).status_code == 403

    assert fresh.post("twofactoroff.py", {"present_password": PASSWORD, "code": "000000"}).status_code == 403
    off = {"present_password": PASSWORD, "code": totp.code_at(secret, step + 1)}
    assert "Logins need no code any more." in fresh.shown_after(fresh.post("twofactoroff.py", off))
    assert opens(sample_site, Service.WEB, PASSWORD) is Reason.GRANTED


def test_where_it_is_mandatory_nothing_else_works_before(sample_site: SampleSite, client: FlaskClient) -> None:
    issuer = "user_mig_oidc_issuer = https://oidc.grid.example.org/openid/"
    sample_site.configure(issuer, "enable_openid = True\ntwofactor_mandatory_protos = https")
    ada = Browser(build(load(sample_site.conf)).test_client(), ADA)
    ada.claim(auth_time=str(int(time.time())))
    assert "asks everybody for a second factor" in ada.shown_after(ada.get("dashboard.py"))
    assert ada.get("logout.py").headers["Location"].startswith("/oidc/callback")


def test_sessions_are_listed_and_can_be_ended(fresh: Browser, sessions: Sessions, user_now: Callable[[], User]) -> None:
    here = sessions.find(sessions.begin(Login(user_now(), ("pwd",), "192.0.2.1", "This Browser")))
    there = sessions.find(sessions.begin(Login(user_now(), ("pwd",), "192.0.2.7", "<b>Phone</b>")))
    assert here
    assert there
    fresh.claim(sid=here.sid)
    page = fresh.get("settings.py").text
    assert "This Browser" in page
    assert "&lt;b&gt;Phone&lt;/b&gt;" in page
    assert "192.0.2.7" in page
    assert "The session has ended." in fresh.shown_after(fresh.post("endsession.py", {"session": there.sid}))
    assert [session.sid for session in sessions.of_user(ADA)] == [here.sid]


def test_nobody_ends_the_session_of_another_user(
    client: FlaskClient, sessions: Sessions, user_now: Callable[[], User]
) -> None:
    session = sessions.find(sessions.begin(Login(user_now(), ("pwd",), "192.0.2.1", "Browser")))
    assert session
    Browser(client, BO).post("endsession.py", {"session": session.sid})
    assert sessions.get(session.sid)


def test_a_new_password_ends_all_sessions_but_this_one(
    fresh: Browser, sessions: Sessions, user_now: Callable[[], User]
) -> None:
    here, _ = (sessions.find(sessions.begin(Login(user_now(), ("pwd",), "192.0.2.1", "B"))) for _ in range(2))
    assert here
    fresh.claim(sid=here.sid)
    new = {"present_password": PASSWORD, "password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    assert fresh.post("password.py", new).status_code == 303
    [left] = sessions.of_user(ADA)
    assert left.sid == here.sid
    assert left.is_of(user_now())


def test_who_came_with_a_certificate_can_set_the_first_password(
    sample_site: SampleSite, client: FlaskClient, tmp_path: Path
) -> None:
    eve = ADA.replace("Ada", "Eve").replace("ada", "eve")
    sample_site.inside("createuser", "-i", eve)
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", tmp_path / "key", "-subj", eve]
    certificate = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    browser = Browser(client, eve, "migcert")
    browser.show(certificate)
    assert "You have no password yet." in browser.get("settings.py").text
    new = {"password": OTHER_PASSWORD, "again": OTHER_PASSWORD}
    assert "You have a new password." in browser.shown_after(browser.post("password.py", new))
    attempt = Attempt(Service.WEB, Method.MIGOIDC, "eve@example.org", "192.0.2.9")
    assert Logins(load(sample_site.conf)).by_password(attempt, OTHER_PASSWORD).granted
    assert "The present password is wrong." in browser.post("password.py", new).text


def test_a_password_that_the_site_takes_nowhere_on_the_web_is_not_asked_for(
    sample_site: SampleSite, client: FlaskClient, user_now: Callable[[], User], tmp_path: Path
) -> None:
    assert user_now().password_hash
    sample_site.configure("", "enable_openid = True\nlogin_methods = migcert")
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", tmp_path / "key", "-subj", ADA]
    certificate = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    browser = Browser(build(load(sample_site.conf)).test_client(), ADA, "migcert")
    browser.show(certificate)
    assert "present_password" not in browser.get("settings.py").text
