"""Sign-up as people see it, with a browser and a mailbox."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from flask import Flask
from sample_site import SampleSite
from signup_site import ADMINISTRATOR, EVE, FORM, PASSWORD, Configure, Mailbox, Person

from migrid.site.configuration import load
from migrid.site.logins import Attempt, Logins, Method, Reason, Service
from migrid.site.portal.application import build as build_portal
from migrid.site.store import User, UserStore, today

OPENID = {
    "MIG_LOGIN_METHOD": "extoidc",
    "OIDC_CLAIM_iss": "https://idp.example.org",
    "OIDC_CLAIM_sub": "eve-77",
    "OIDC_CLAIM_name": "Eve Example",
    "OIDC_CLAIM_email": "eve@example.org",
    "OIDC_CLAIM_email_verified": "1",
    "OIDC_CLAIM_organization": "Example",
}


def requests(site: SampleSite) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(site.inside("requests", "--json"))
    return found


def users(site: SampleSite) -> dict[str, User]:
    with UserStore(load(site.conf).user_db_path, read_only=True) as store:
        return {user.client_id: user for user in store.users()}


def logs_in(site: SampleSite, login: str) -> Reason:
    attempt = Attempt(Service.WEB, Method.MIGOIDC, login, "192.0.2.9")
    return Logins(load(site.conf)).by_password(attempt, PASSWORD).reason


def certificate(tmp_path: Path, subject: str) -> str:
    """A certificate of some other authority."""
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-utf8"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command, *files, "-subj", subject], check=True, capture_output=True)
    return (tmp_path / "cert.pem").read_text()


def test_a_request_becomes_a_user_who_can_log_in(app: Flask, sample_site: SampleSite) -> None:
    answer = Person(app).post("reqcert.py", **FORM)
    assert answer.headers["Location"] == "/cgi-sid/sent.py"
    [request] = requests(sample_site)
    assert request["client_id"] == EVE
    assert request["comment"] == "I work with Ada."
    assert EVE not in users(sample_site)
    sample_site.inside("acceptuser", request["request"])
    assert logs_in(sample_site, "eve@example.org") is Reason.GRANTED
    expire = users(sample_site)[EVE].expire
    assert expire
    assert (expire - today()).days == 365
    assert requests(sample_site) == []


def test_a_rejected_request_is_gone(app: Flask, sample_site: SampleSite) -> None:
    Person(app).post("reqcert.py", **FORM)
    [request] = requests(sample_site)
    sample_site.inside("rejectuser", request["request"], "--reason", "unknown")
    assert requests(sample_site) == []
    assert EVE not in users(sample_site)
    answer = sample_site.mig("acceptuser", request["request"])
    assert (answer.returncode, "there is no request" in answer.stderr) == (1, True)


def test_the_address_is_proven_before_anybody_has_to_decide(
    mailing: Flask, mailbox: Mailbox, sample_site: SampleSite
) -> None:
    person = Person(mailing)
    person.post("reqcert.py", **FORM)
    assert requests(sample_site) == []
    sample_site.inside("sendmail")
    [(to, subject, text)] = mailbox.texts()
    assert (to, subject) == ("Eve@example.org", "[MiG] Confirm your e-mail address")
    [link] = re.findall(r"https://sid\.grid\.example\.org(/cgi-sid/confirmmail\.py\?token=\S+)", text)

    anywhere = Person(mailing, "198.51.100.7")
    anywhere.get(link)
    assert requests(sample_site) == [], "looking at the link confirms nothing"
    assert "Your address is confirmed" in anywhere.post(link).text
    [request] = requests(sample_site)
    assert request["email_is_proven"] is True
    assert anywhere.post(link).status_code == 404

    sample_site.inside("acceptuser", request["request"])
    sample_site.inside("sendmail")
    told = mailbox.texts()[1:]
    assert [(to, subject) for to, subject, _ in told] == [
        ("admin@example.org", "[MiG] Request for an account: Eve Example"),
        ("Eve@example.org", "[MiG] Your account is ready"),
    ]
    assert f"mig acceptuser {request['request']}" in told[0][2]
    assert "https://sid.grid.example.org/cgi-sid/login.py" in told[1][2]


def test_nobody_learns_who_is_a_user(mailing: Flask, mailbox: Mailbox, sample_site: SampleSite) -> None:
    known = FORM | {"full_name": "Ada Example", "email": "ada@example.org"}
    answers = [Person(mailing).post("reqcert.py", **fields) for fields in (FORM, known)]
    assert answers[0].status_code == answers[1].status_code == 303
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    sample_site.inside("sendmail")
    subjects = {to: subject for to, subject, _ in mailbox.texts()}
    assert subjects["ada@example.org"] == "[MiG] You have an account"


def test_a_user_is_never_taken_over_by_a_request(app: Flask, sample_site: SampleSite) -> None:
    before = users(sample_site)[ADMINISTRATOR]
    Person(app).post("reqcert.py", **FORM | {"full_name": "Ada Example", "email": "ada@example.org"})
    [request] = requests(sample_site)
    answer = sample_site.mig("acceptuser", request["request"])
    assert answer.returncode == 1
    assert "there is a user of this name or e-mail address already" in answer.stderr
    assert users(sample_site)[ADMINISTRATOR] == before


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("full_name", "", "Full name: a user needs a full name."),
        ("email", "eve", "E-mail address:"),
        ("email", "eve@example.org\r\nBcc: all@example.org", "E-mail address:"),
        ("country", "Denmark", "Country:"),
        ("password", "short", "Password:"),
        ("again", "Other-Pass-99", "Password: the two passwords differ."),
        ("comment", "x" * 1001, "Comment:"),
    ],
)
def test_a_wrong_field_is_told_and_nothing_is_kept(
    app: Flask, sample_site: SampleSite, field: str, value: str, problem: str
) -> None:
    answer = Person(app).post("reqcert.py", **FORM | {field: value})
    assert answer.status_code == 400
    assert problem in answer.text
    assert PASSWORD not in answer.text
    assert requests(sample_site) == []


def test_a_form_of_another_site_does_nothing(app: Flask, sample_site: SampleSite) -> None:
    person = Person(app)
    person.get("reqcert.py")
    assert person.forge("reqcert.py", **FORM).status_code == 403
    assert person.forge("reqcert.py", **FORM, form_token="guess").status_code == 403
    assert requests(sample_site) == []


def test_an_address_that_sends_too_much_has_to_wait_and_nobody_else(app: Flask, sample_site: SampleSite) -> None:
    statuses = []
    for number in range(12):
        answer = Person(app).post("reqcert.py", **FORM | {"email": f"eve{number}@example.org"})
        statuses.append(answer.status_code)
    assert statuses == [303] * 10 + [429] * 2
    assert Person(app, "198.51.100.7").post("reqcert.py", **FORM).status_code == 303
    assert len(requests(sample_site)) == 11


def test_nobody_floods_the_mailbox_of_somebody_else(mailing: Flask, mailbox: Mailbox, sample_site: SampleSite) -> None:
    for number in range(6):
        assert Person(mailing, f"198.51.100.{number}").post("reqcert.py", **FORM).status_code == 303
    sample_site.inside("sendmail")
    assert len(mailbox.messages) == 3


def test_too_much_at_once_is_refused(app: Flask) -> None:
    assert Person(app).post("reqcert.py", **FORM | {"comment": "x" * 70_000}).status_code == 413


@pytest.mark.parametrize("page", ["reqcert.py", "extcert.py", "extoidc.py"])
def test_without_sign_up_there_is_no_form(configure: Configure, page: str) -> None:
    assert Person(configure(methods="")).get(page).status_code == 404


def test_the_ways_in_are_those_of_the_site(configure: Configure) -> None:
    page = Person(configure(migserver_https_mig_oidc_url="https://oidc.grid.example.org")).get("login.py").text
    assert 'href="https://oidc.grid.example.org/"' in page
    assert 'href="https://ext.grid.example.org/"' in page
    assert "Certificate of this site" not in page
    assert "/cgi-sid/reqcert.py" in page


def test_a_certificate_asks_for_its_own_name(app: Flask, sample_site: SampleSite, tmp_path: Path) -> None:
    proven = {"MIG_LOGIN_METHOD": "extcert", "SSL_CLIENT_CERT": certificate(tmp_path, EVE)}
    person = Person(app, **proven)
    assert "Eve Example" in person.get("extcert.py").text
    assert person.post("extcert.py", full_name="Ada Example", email="ada@example.org").status_code == 303
    assert person.post("extcert.py").status_code == 303
    [request] = requests(sample_site)
    assert request["client_id"] == EVE
    stranger = Person(build_portal(load(sample_site.conf)), **proven).get("/wsgi-bin/dashboard.py")
    assert stranger.status_code == 403
    assert 'href="/cgi-sid/extcert.py"' in stranger.text
    sample_site.inside("acceptuser", request["request"])
    assert "Welcome, Eve Example" in welcome(sample_site, proven)


def test_without_a_certificate_the_page_leads_to_where_one_counts(app: Flask) -> None:
    page = Person(app).get("extcert.py").text
    assert 'href="https://ext.grid.example.org/cgi-sid/extcert.py"' in page
    assert "<form" not in page


def test_an_account_of_another_provider_is_known_again(app: Flask, sample_site: SampleSite) -> None:
    assert Person(app, **OPENID).post("extoidc.py").status_code == 303
    [request] = requests(sample_site)
    sample_site.inside("acceptuser", request["request"])
    assert "Welcome, Eve Example" in welcome(sample_site, OPENID | {"OIDC_CLAIM_name": "Another Name"})
    other = Person(build_portal(load(sample_site.conf)), **OPENID | {"OIDC_CLAIM_sub": "eve-78"})
    assert other.get("/wsgi-bin/dashboard.py").status_code == 403


def test_who_has_a_certificate_can_become_a_user_at_once(
    configure: Configure, sample_site: SampleSite, tmp_path: Path
) -> None:
    configure(auto_add_cert_user="True", cert_valid_days="30")
    proven = {"MIG_LOGIN_METHOD": "extcert", "SSL_CLIENT_CERT": certificate(tmp_path, EVE)}
    assert "Welcome, Eve Example" in welcome(sample_site, proven)
    expire = users(sample_site)[EVE].expire
    assert expire
    assert (expire - today()).days == 30


NOT_AT_ONCE = {
    "off": ({}, {}),
    "another organization": ({"auto_add_oidc_user": "True", "auto_add_user_permit": "organization:Other"}, {}),
    "one of two": (
        {"auto_add_oidc_user": "True", "auto_add_user_permit": "organization:Ex email:.*@other\\.org$"},
        {},
    ),
    "address not proven": ({"auto_add_oidc_user": "True"}, {"OIDC_CLAIM_email_verified": "0"}),
    "no address": ({"auto_add_oidc_user": "True"}, {"OIDC_CLAIM_email": ""}),
    "the name of an administrator": (
        {"auto_add_oidc_user": "True", "admin_list": EVE.replace("C=DK", "C=NA").replace("Eve@", "eve@")},
        {},
    ),
    "the address of a user": ({"auto_add_oidc_user": "True"}, {"OIDC_CLAIM_email": "ada@example.org"}),
}


@pytest.mark.parametrize("name", NOT_AT_ONCE)
def test_who_is_not_permitted_stays_a_stranger(configure: Configure, sample_site: SampleSite, name: str) -> None:
    keys, claims = NOT_AT_ONCE[name]
    configure(**keys)
    before = users(sample_site)
    person = Person(build_portal(load(sample_site.conf)), **OPENID | claims)
    assert person.get("/wsgi-bin/dashboard.py").status_code == 403
    assert users(sample_site) == before


def test_who_is_permitted_becomes_a_user_at_once(configure: Configure, sample_site: SampleSite) -> None:
    configure(auto_add_oidc_user="True", auto_add_user_permit="organization:Ex email:.*@example\\.org$")
    assert "Welcome, Eve Example" in welcome(sample_site, OPENID)


def welcome(site: SampleSite, proven: dict[str, str]) -> str:
    return Person(build_portal(load(site.conf)), **proven).get("/wsgi-bin/dashboard.py").text
