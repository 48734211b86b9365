"""A login as a client and a user see it, and everything that is refused on the way."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from openid_site import (
    ADA,
    BASE,
    CALLBACK,
    CODE,
    HOST,
    ISSUER,
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    THORDIS,
    VERIFIER,
    OpenidSite,
    answer_of,
    authorize_url,
    basic,
    challenge,
    form_of,
    header_of,
)

THORDIS_LOGIN = "thordis@example.org"


def test_a_client_finds_everything_in_the_discovery_document(site: OpenidSite) -> None:
    found = site.get("/.well-known/openid-configuration").json
    assert found["issuer"] == ISSUER
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["backchannel_logout_supported"]
    for name, expected in {
        "authorization_endpoint": 400,
        "token_endpoint": 405,
        "userinfo_endpoint": 401,
        "end_session_endpoint": 200,
        "jwks_uri": 200,
    }.items():
        path = found[name].removeprefix(f"{HOST}{BASE}")
        assert site.get(path).status_code == expected, name


def test_a_login_tells_the_client_who_it_is(site: OpenidSite) -> None:
    answer = answer_of(site.browser().log_in())
    assert answer["state"] == "s&t=ä"
    tokens = site.redeem(answer["code"]).json
    claims = site.claims(tokens["id_token"])
    assert {name: claims[name] for name in ("iss", "sub", "aud", "nonce", "amr")} == {
        "iss": ISSUER,
        "sub": ADA,
        "aud": "portal",
        "nonce": "n-1",
        "amr": ["pwd"],
    }
    assert claims["iat"] <= site.clock() < claims["exp"]
    assert abs(claims["auth_time"] - site.clock()) < 5
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert base64.urlsafe_b64decode(f"{claims['at_hash']}==") == half
    assert header_of(tokens["id_token"])["kid"] == site.get("/jwks").json["keys"][0]["kid"]
    assert tokens["token_type"] == "Bearer"
    userinfo = site.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").json
    assert userinfo == {
        "sub": ADA,
        "name": "Ada Example",
        "preferred_username": "ada@example.org",
        "email": "ada@example.org",
        "organization": "Test Org",
        "country": "DK",
    }


def test_a_client_gets_only_the_claims_it_asks_for(site: OpenidSite) -> None:
    tokens = site.browser().tokens(scope="openid unheard-of")
    assert tokens["scope"] == "openid"
    assert site.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").json == {"sub": ADA}


def test_the_second_client_is_served_without_a_form(site: OpenidSite) -> None:
    browser = site.browser()
    browser.code()
    answer = browser.authorize(client_id="wiki", redirect_uri="https://wiki.example.org/cb?x=1")
    location = urlsplit(answer.headers["Location"])
    query = dict(parse_qsl(location.query))
    assert (location.netloc, query["x"], query["state"]) == ("wiki.example.org", "1", "s&t=ä")
    answer = site.redeem(query["code"], "wiki", OTHER_SECRET, redirect_uri="https://wiki.example.org/cb?x=1")
    assert site.claims(answer.json["id_token"])["aud"] == "wiki"


def test_a_second_factor_is_asked_for_and_told_to_the_client(site: OpenidSite) -> None:
    browser = site.browser()
    page = browser.log_in(THORDIS_LOGIN)
    assert "Enter the code" in page.text
    assert PASSWORD not in page.text
    page = browser.submit(page, code="999999")
    assert page.status_code == 403
    assert "The code is wrong" in page.text
    answer = browser.submit(page, code=f" {CODE[:3]} {CODE[3:]} ")
    claims = site.claims(site.redeem(answer_of(answer)["code"]).json["id_token"])
    assert (claims["sub"], claims["amr"], claims["acr"]) == (
        THORDIS,
        ["pwd", "otp", "mfa"],
        "https://refeds.org/profile/mfa",
    )


def test_the_second_step_does_not_wait_for_ever(site: OpenidSite) -> None:
    browser = site.browser()
    page = browser.log_in(THORDIS_LOGIN)
    site.clock.move(301)
    page = browser.submit(page, code=CODE)
    assert "The code came too late" in page.text
    assert "password" in form_of(page).fields


def test_the_password_alone_begins_no_session(site: OpenidSite) -> None:
    browser = site.browser()
    browser.log_in(THORDIS_LOGIN)
    assert answer_of(browser.authorize(prompt="none"))["error"] == "login_required"


def test_wrong_and_unknown_look_the_same(site: OpenidSite) -> None:
    wrong = site.browser().log_in(password="Wrong-Pass-1")
    unknown = site.browser().log_in("nobody@example.org", "Wrong-Pass-1")
    secrets = re.compile(r'value="[^"]*"')
    assert secrets.sub("", wrong.text) == secrets.sub("", unknown.text)
    assert wrong.status_code == unknown.status_code == 403
    assert "Try again in 10 seconds." in wrong.text
    assert form_of(wrong).values["login"] == "ada@example.org"
    assert "Wrong-Pass-1" not in wrong.text


def test_a_suspended_user_learns_no_more_than_a_stranger(site: OpenidSite) -> None:
    site.people.suspend("ada@example.org")
    page = site.browser().log_in()
    assert page.status_code == 403
    assert "The login or the password is wrong, or this account may not log in here." in page.text


def test_a_delay_says_how_long_it_is(site: OpenidSite) -> None:
    browser = site.browser()
    browser.log_in(password="Wrong-Pass-1")
    page = browser.log_in()
    assert (page.status_code, page.headers["Retry-After"]) == (429, "10")
    assert "There were too many failed logins. Try again in 10 seconds." in page.text
    site.clock.move(10)
    assert "code" in answer_of(browser.submit(page, login="ada@example.org", password=PASSWORD))


def test_the_address_that_the_proxy_saw_is_judged(site: OpenidSite) -> None:
    browser = site.browser()
    form = form_of(browser.authorize())
    browser.post_once(form.action, {**form.values, "login": "ada@example.org", "password": PASSWORD})
    assert [attempt.address for attempt in site.people.attempts] == ["192.0.2.7"]


def test_a_second_tab_can_log_in_too(site: OpenidSite) -> None:
    browser = site.browser()
    first, second = browser.authorize(), browser.authorize()
    for page in (first, second):
        assert "code" in answer_of(browser.submit(page, login="ada@example.org", password=PASSWORD))
    assert len(site.provider.sessions.of_user(ADA)) == 1


def test_a_form_of_another_site_is_not_taken(site: OpenidSite) -> None:
    browser = site.browser()
    form = form_of(browser.authorize())
    for token in ("", "x", form_of(site.browser().authorize()).values["form_token"]):
        page = browser.post(form.action, {"form_token": token, "login": "ada@example.org", "password": PASSWORD})
        assert page.status_code == 403
        assert "Please try again" in page.text
    assert site.people.attempts == []


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "stranger"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": "https://evil.example.com/"},
        {"redirect_uri": "https://wiki.example.org/cb?x=1"},
        {"client_id": "stranger", "response_type": "token"},
        {"redirect_uri": "https://evil.example.com/", "response_type": "token"},
        {"redirect_uri": "https://evil.example.com/", "prompt": "none"},
    ],
)
def test_a_browser_is_never_sent_to_an_unregistered_address(site: OpenidSite, changes: dict[str, str]) -> None:
    answer = site.browser().get(authorize_url(**changes))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert "This address does not work" in answer.text
    assert "evil" not in answer.text


def test_a_login_page_with_a_foreign_address_leads_nowhere(site: OpenidSite) -> None:
    browser = site.browser()
    form = form_of(browser.authorize())
    evil = authorize_url(redirect_uri="https://evil.example.com/").replace("/authorize?", "/login?")
    answer = browser.post(evil, {**form.values, "login": "ada@example.org", "password": PASSWORD})
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": ""}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://portal.example.org/r"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_the_client_learns_why_it_is_refused(site: OpenidSite, changes: dict[str, str], error: str) -> None:
    answer = answer_of(site.browser().get(authorize_url(**changes)))
    assert (answer["error"], answer["state"]) == (error, "s&t=ä")
    assert "code" not in answer


def test_a_repeated_parameter_is_refused(site: OpenidSite) -> None:
    answer = answer_of(site.browser().get(authorize_url() + "&nonce=other"))
    assert answer["error"] == "invalid_request"


def test_a_request_may_be_posted(site: OpenidSite) -> None:
    browser = site.browser()
    asked = dict(parse_qsl(urlsplit(authorize_url()).query))
    page = browser.post(f"{BASE}/authorize", asked)
    assert "code" in answer_of(browser.submit(page, login="ada@example.org", password=PASSWORD))


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"prompt": "select_account"}])
def test_a_client_can_ask_for_a_fresh_login(site: OpenidSite, wish: dict[str, str]) -> None:
    browser = site.browser()
    first = site.claims(browser.tokens()["id_token"])
    site.clock.move(100)
    page = browser.authorize(**wish)
    assert "Log in" in page.text
    answer = browser.submit(page, login="ada@example.org", password=PASSWORD)
    second = site.claims(site.redeem(answer_of(answer)["code"]).json["id_token"])
    assert second["auth_time"] >= first["auth_time"] + 100
    assert second["sid"] == first["sid"]


def test_max_age_lets_a_recent_login_count(site: OpenidSite) -> None:
    browser = site.browser()
    browser.code()
    site.clock.move(50)
    assert "code" in answer_of(browser.authorize(max_age="100"))
    site.clock.move(51)
    assert "Log in" in browser.authorize(max_age="100").text
    assert answer_of(browser.authorize(max_age="100", prompt="none"))["error"] == "login_required"


def test_the_login_hint_is_filled_in(site: OpenidSite) -> None:
    page = site.browser().authorize(login_hint='"><b>ada')
    assert form_of(page).values["login"] == '"><b>ada'


def test_a_code_counts_once_and_its_theft_revokes_the_token(site: OpenidSite) -> None:
    code = site.browser().code()
    bearer = {"Authorization": f"Bearer {site.redeem(code).json['access_token']}"}
    assert site.get("/userinfo", **bearer).status_code == 200
    again = site.redeem(code)
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")
    answer = site.get("/userinfo", **bearer)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_of_many_who_hand_in_a_code_at_once_one_gets_a_token_that_is_revoked(site: OpenidSite) -> None:
    code = site.browser().code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.redeem(code), range(8)))
    (good,) = [answer for answer in answers if answer.status_code == 200]
    assert site.get("/userinfo", Authorization=f"Bearer {good.json['access_token']}").status_code == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": f"{CALLBACK}/"},
        {"redirect_uri": ""},
        {"code_verifier": "w" * 50},
        {"code_verifier": ""},
        {"code_verifier": VERIFIER + "\n"},
    ],
)
def test_a_wrong_proof_uses_the_code_up(site: OpenidSite, changes: dict[str, str]) -> None:
    code = site.browser().code()
    assert site.redeem(code, **changes).json["error"] == "invalid_grant"
    assert site.redeem(code).json["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", ["v" * 42, "v" * 129, "v" * 42 + "!"])
def test_a_proof_that_is_easy_to_guess_is_refused(site: OpenidSite, verifier: str) -> None:
    code = site.browser().code(code_challenge=challenge(verifier))
    assert site.redeem(code, code_verifier=verifier).json["error"] == "invalid_grant"


def test_the_code_of_another_client_is_refused_and_stays_good(site: OpenidSite) -> None:
    code = site.browser().code()
    assert site.redeem(code, "wiki", OTHER_SECRET).json["error"] == "invalid_grant"
    assert site.redeem(code).status_code == 200


def test_a_code_lives_for_a_minute_and_a_token_for_ten(site: OpenidSite) -> None:
    browser = site.browser()
    code = browser.code()
    site.clock.move(61)
    assert site.redeem(code).json["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {browser.tokens()['access_token']}"}
    site.clock.move(601)
    assert site.get("/userinfo", **bearer).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic cG9ydGFs", "Bearer x", basic("portal", "wrong"), basic("stranger", SECRET)],
)
def test_a_client_must_prove_who_it_is(site: OpenidSite, header: str) -> None:
    code = site.browser().code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    answer = site.post("/token", form, **({"Authorization": header} if header else {}))
    assert (answer.status_code, json.loads(answer.text)["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert site.redeem(code).status_code == 200


def test_a_client_may_post_its_secret_but_not_prove_itself_twice(site: OpenidSite) -> None:
    code = site.browser().code()
    proof = {"client_id": "portal", "client_secret": SECRET}
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    assert site.post("/token", form | proof, Authorization=basic("portal", SECRET)).status_code == 401
    assert site.post("/token", form | proof).status_code == 200


def test_other_grants_are_refused(site: OpenidSite) -> None:
    form = {"grant_type": "password", "username": "ada@example.org", "password": PASSWORD}
    answer = site.post("/token", form, Authorization=basic("portal", SECRET))
    assert (answer.status_code, answer.json["error"]) == (400, "unsupported_grant_type")


def test_tokens_and_forms_are_not_stored_by_anybody(site: OpenidSite) -> None:
    browser = site.browser()
    assert browser.authorize().headers["Cache-Control"] == "no-store"
    assert site.redeem(browser.code()).headers["Cache-Control"] == "no-store"


def test_a_page_has_no_script_and_leads_to_clients_only(site: OpenidSite) -> None:
    page = site.browser().authorize()
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://portal.example.org https://wiki.example.org" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert "style=" not in page.text
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page.text)
    with site.browser().get(style) as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/css")


def test_the_form_can_be_used_by_everybody(site: OpenidSite) -> None:
    browser = site.browser()
    page = browser.authorize()
    assert '<html lang="en">' in page.text
    assert "<title>Log in – Grid &amp; friends</title>" in page.text
    fields = form_of(page).fields
    assert (fields["login"]["autocomplete"], fields["password"]["autocomplete"]) == ("username", "current-password")
    for name in ("login", "password"):
        assert f'<label for="{fields[name]["id"]}">' in page.text
    wrong = browser.submit(page, login="ada@example.org", password="x")
    assert "<title>Problem: Log in" in wrong.text
    assert re.search(r'<p [^>]*id="problem" role="alert" tabindex="-1" autofocus>', wrong.text)
    assert form_of(wrong).fields["password"]["aria-describedby"] == "problem"
    code = site.browser().log_in(THORDIS_LOGIN)
    assert form_of(code).fields["code"]["autocomplete"] == "one-time-code"


def test_an_unknown_address_gets_a_page_of_the_site(site: OpenidSite) -> None:
    answer = site.get("/nowhere")
    assert answer.status_code == 404
    assert "Grid &amp; friends" in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_typed_address_of_the_form_says_what_to_do(site: OpenidSite) -> None:
    browser = site.browser()
    assert browser.get(f"{BASE}/login?{urlencode({'client_id': 'portal'})}").status_code == 303
    assert "Start at the page that you wanted to open." in browser.get(f"{BASE}/authorize").text
