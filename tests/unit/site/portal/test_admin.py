"""The administrators' page, asked as Apache asks it."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from portal_browser import ADA, BO, Browser
from sample_site import ACCOUNT, SampleSite

from migrid.site.configuration import load
from migrid.site.logins import Logins, Method, Service, second_factor, totp
from migrid.site.portal.application import build
from migrid.site.privileges import acting_as
from migrid.site.signup.requests import Request, Requests
from migrid.site.store import User, UserStore, today

EVE = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN=Eve Example/emailAddress=eve@example.org"
MAX = "/C=DK/ST=NA/L=NA/O=Example, Inc/OU=NA/CN=Max Example/emailAddress=max@example.org"
PASSWORD = "Sample-Pass-01"
ACTIONS = ("suspenduser", "reactivateuser", "extenduser", "resettwofactor", "acceptuser", "rejectuser")


@pytest.fixture
def client(sample_site: SampleSite, tmp_path: Path) -> FlaskClient:
    sample_site.configure(f"admin_list = {ADA}, {MAX}", "enable_migadmin = True")
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    for name in (ADA, BO):
        sample_site.inside("createuser", "-i", name, "--password-file", str(password))
    return build(load(sample_site.conf)).test_client()


@pytest.fixture
def admin(ada: Browser) -> Browser:
    """Ada, an administrator, who has just logged in."""
    ada.claim(auth_time=str(int(time.time())))
    return ada


@pytest.fixture
def bo(client: FlaskClient) -> Browser:
    return Browser(client, BO)


@pytest.fixture
def request_of_eve(sample_site: SampleSite, client: FlaskClient) -> str:
    return ask(sample_site, Request(client_id=EVE, method=Method.MIGOIDC, comment="<i>please</i>"))


def ask(site: SampleSite, request: Request) -> str:
    """Let somebody ask for an account; the name of the request."""
    requests = Requests(load(site.conf))
    with acting_as(ACCOUNT, ACCOUNT):
        requests.add(request)
    return requests.all()[0].identifier


def user(site: SampleSite, client_id: str) -> User | None:
    with UserStore(load(site.conf).user_db_path, read_only=True) as store:
        return store.find(client_id)


def logins_on(text: str) -> list[str]:
    return re.findall(r'<td class="half"><a href="[^"]*">([^<]*)</a>', text)


def test_nobody_else_has_the_page(bo: Browser, sample_site: SampleSite, request_of_eve: str) -> None:
    bo.claim(auth_time=str(int(time.time())))
    assert "Administration" not in bo.get("dashboard.py").text
    assert bo.get("migadmin.py").status_code == 404
    for page in ACTIONS:
        assert (
            bo.post(f"{page}.py", {"user": ADA, "request": request_of_eve, "expire": "2001-01-01"}).status_code == 404
        )
    found = user(sample_site, ADA)
    assert found
    assert (found.suspended, found.expire) == (False, None)
    assert user(sample_site, EVE) is None


def test_where_the_page_is_off_even_administrators_lack_it(sample_site: SampleSite, client: FlaskClient) -> None:
    sample_site.configure(f"admin_list = {ADA}")
    ada = Browser(build(load(sample_site.conf)).test_client(), ADA)
    assert ada.get("migadmin.py").status_code == 404


def test_an_open_browser_of_an_administrator_is_not_enough(ada: Browser, sample_site: SampleSite) -> None:
    page = ada.get(f"migadmin.py?user={BO}").text
    assert "bo@example.org" in page
    assert "Suspend" not in page
    assert ada.post("suspenduser.py", {"user": BO}).status_code == 403
    confirmed = ada.post("confirm.py", {"page": "admin.users", "present_password": PASSWORD})
    assert ada.shown_after(confirmed)
    assert "Suspend" in ada.get(f"migadmin.py?user={BO}").text


@pytest.mark.parametrize("page", ACTIONS)
def test_no_other_site_can_send_a_form(admin: Browser, page: str) -> None:
    assert admin.send("POST", f"{page}.py", data={"user": BO, "form_token": "0" * 64}).status_code == 403


def test_a_suspended_user_is_out_until_let_in_again(admin: Browser, bo: Browser, sample_site: SampleSite) -> None:
    page = admin.shown_after(admin.post("suspenduser.py", {"user": BO}))
    assert "Bo Example cannot log in any more." in page
    assert "Let in again" in page
    assert logins_on(admin.get("migadmin.py?state=suspended").text) == ["bo@example.org"]
    assert bo.get("dashboard.py").status_code == 403
    with acting_as(ACCOUNT, ACCOUNT):
        assert not Logins(load(sample_site.conf)).still(BO, Service.SFTP, Method.PUBLIC_KEY)
    admin.post("reactivateuser.py", {"user": BO})
    assert bo.get("dashboard.py").status_code == 200


def test_an_administrator_cannot_suspend_oneself(admin: Browser) -> None:
    assert "You cannot suspend yourself." in admin.post("suspenduser.py", {"user": ADA}).text
    assert admin.get("dashboard.py").status_code == 200


def test_the_end_of_access_can_be_set_and_taken_away(admin: Browser, sample_site: SampleSite) -> None:
    admin.post("suspenduser.py", {"user": BO})
    assert admin.post("extenduser.py", {"user": BO, "expire": "2999-12-31"}).status_code == 303
    found = user(sample_site, BO)
    assert found
    assert (str(found.expire), found.suspended) == ("2999-12-31", True)
    assert "YYYY-MM-DD" in admin.post("extenduser.py", {"user": BO, "expire": "soon"}).text
    admin.post("extenduser.py", {"user": BO, "expire": ""})
    found = user(sample_site, BO)
    assert found
    assert found.expire is None


def test_users_are_found_by_words_and_by_state(admin: Browser, sample_site: SampleSite) -> None:
    sample_site.inside("edituser", "-i", BO, "--expire", today().replace(year=today().year - 1, day=1).isoformat())
    everybody = ["ada@example.org", "bo@example.org"]
    assert sorted(logins_on(admin.get("migadmin.py").text)) == everybody
    assert logins_on(admin.get("migadmin.py?search=EXAMPLE+bo").text) == ["bo@example.org"]
    assert logins_on(admin.get("migadmin.py?search=nobody").text) == []
    assert logins_on(admin.get("migadmin.py?state=expired").text) == ["bo@example.org"]
    assert logins_on(admin.get("migadmin.py?state=present").text) == ["ada@example.org"]


def test_a_lost_second_factor_can_be_reset(admin: Browser, sample_site: SampleSite) -> None:
    site = load(sample_site.conf)
    secret = second_factor.begin(site, BO)
    now = time.time()
    assert second_factor.confirm(site, BO, totp.code_at(secret, int(now) // totp.STEP_SECONDS), now)
    assert "Reset the second factor" in admin.get(f"migadmin.py?user={BO}").text
    admin.post("resettwofactor.py", {"user": BO})
    assert not second_factor.is_in_use(site, BO)


def test_a_request_is_accepted(admin: Browser, sample_site: SampleSite, request_of_eve: str) -> None:
    page = admin.get("migadmin.py").text
    assert "&lt;i&gt;please&lt;/i&gt;" in page
    done = admin.post("acceptuser.py", {"request": request_of_eve, "expire": "2999-12-31"})
    assert "Eve Example is a user now." in admin.shown_after(done)
    found = user(sample_site, EVE)
    assert found
    assert str(found.expire) == "2999-12-31"
    assert admin.post("acceptuser.py", {"request": request_of_eve}).status_code == 404


def test_a_request_is_rejected(admin: Browser, sample_site: SampleSite, request_of_eve: str) -> None:
    done = admin.post("rejectuser.py", {"request": request_of_eve, "reason": "unknown"})
    assert "The request of Eve Example is gone." in admin.shown_after(done)
    assert user(sample_site, EVE) is None


def test_a_request_for_the_name_of_a_user_cannot_be_accepted(admin: Browser, sample_site: SampleSite) -> None:
    request = ask(sample_site, Request(client_id=BO, method=Method.MIGOIDC, comment="mine"))
    before = user(sample_site, BO)
    assert "There is a user of this name or address already." in admin.get("migadmin.py").text
    assert admin.post("acceptuser.py", {"request": request}).status_code == 409
    assert user(sample_site, BO) == before


def test_nobody_becomes_an_administrator_by_asking(admin: Browser, sample_site: SampleSite) -> None:
    request = ask(sample_site, Request(client_id=MAX, method=Method.MIGOIDC))
    answer = admin.post("acceptuser.py", {"request": request})
    assert answer.status_code == 409
    assert "nobody becomes an administrator by asking" in answer.text
    assert user(sample_site, MAX) is None
