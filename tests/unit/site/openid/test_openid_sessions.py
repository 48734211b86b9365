"""How long somebody is logged in, and how it ends."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from openid_site import (
    ADA,
    AFTER_LOGOUT,
    BASE,
    ISSUER,
    PASSWORD,
    PORTAL,
    THORDIS,
    Browser,
    OpenidSite,
    answer_of,
    authorize_url,
    form_of,
    header_of,
)

from migrid.site.errors import StoreError
from migrid.site.openid.browser import SESSION_COOKIE
from migrid.site.openid.keeper import sweep
from migrid.site.openid.notices import EVENT, KEPT_SECONDS, REST_SECONDS, Messenger
from migrid.site.openid.second_step import SecondSteps

Told = list[dict[str, Any]]


def is_logged_in(browser: Browser) -> bool:
    return "code" in answer_of(browser.authorize(prompt="none"))


def cookie_lines(answer: Any) -> list[str]:
    return [line for line in answer.headers.getlist("Set-Cookie") if line.startswith(SESSION_COOKIE)]


@pytest.fixture
def told(site: OpenidSite) -> Iterator[Told]:
    """What the portal is told about logouts: the claims of each logout token."""
    heard: Told = []

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            (token,) = parse_qs(body)["logout_token"]
            heard.append({"path": self.path, "header": header_of(token), **site.claims(token)})
            self.send_response(405 if self.path.startswith("/refused") else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test output clean."""

    server = HTTPServer(("127.0.0.1", 0), Portal)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}/callback?logout=backchannel"
    site.clients = [{**PORTAL, "backchannel_logout_uri": uri}, *site.clients[1:]]
    site.start()
    yield heard
    server.shutdown()
    server.server_close()


def test_a_restart_logs_nobody_out(site: OpenidSite) -> None:
    browser = site.browser()
    tokens = browser.tokens()
    code = browser.code()
    site.start()
    assert is_logged_in(browser)
    assert site.redeem(code).status_code == 200
    assert site.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").json["sub"] == ADA


def test_a_session_ends_with_its_time(site: OpenidSite) -> None:
    browser = site.browser()
    browser.code()
    site.clock.move(43199 - 60)
    assert is_logged_in(browser)
    site.clock.move(61)
    assert not is_logged_in(browser)


def test_the_cookie_is_for_the_provider_only(site: OpenidSite) -> None:
    browser = site.browser()
    form = form_of(browser.authorize())
    answer = browser.post_once(form.action, {**form.values, "login": "ada@example.org", "password": PASSWORD})
    (line,) = cookie_lines(answer)
    assert line.startswith("__Host-")
    for attribute in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"):
        assert attribute in line
    assert "Domain" not in line


def test_each_login_gives_the_cookie_a_new_value(site: OpenidSite) -> None:
    browser = site.browser()
    browser.plant(SESSION_COOKIE, "planted")
    browser.code()
    first = browser.cookie(SESSION_COOKIE)
    assert first != "planted"
    browser.log_in(prompt="login")
    assert browser.cookie(SESSION_COOKIE) != first
    stolen = site.browser()
    stolen.plant(SESSION_COOKIE, first)
    assert not is_logged_in(stolen)
    assert len(site.provider.sessions.of_user(ADA)) == 1


def test_another_user_in_the_same_browser_gets_another_session(site: OpenidSite, told: Told) -> None:
    site.people.codes["thordis@example.org"] = ""
    browser = site.browser()
    first = site.claims(browser.tokens()["id_token"])
    browser.log_in("thordis@example.org", prompt="login")
    assert site.provider.sessions.of_user(ADA) == []
    assert [session.sid for session in site.provider.sessions.of_user(THORDIS)] != [first["sid"]]
    Messenger(site.provider).deliver()
    assert [notice["sid"] for notice in told] == [first["sid"]]


def test_nothing_that_opens_a_session_is_in_the_database(site: OpenidSite) -> None:
    browser = site.browser()
    code = browser.code()
    token = site.redeem(code).json["access_token"]
    stored = b"".join(path.read_bytes() for path in site.directory.glob("openid.db*"))
    assert ADA.encode() in stored
    for secret in (code, token, browser.cookie(SESSION_COOKIE), PASSWORD, f"hash of {PASSWORD}"):
        assert secret.encode() not in stored
    for path in site.directory.glob("openid.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "event",
    [
        lambda site: site.people.suspend("ada@example.org"),
        lambda site: site.people.set_password("ada@example.org", "Another-Pass-2"),
        lambda site: site.clock.move(43201),
        lambda site: site.provider.sessions.end_of_user(ADA),
    ],
    ids=["suspended", "password changed", "time over", "ended by hand"],
)
def test_what_ends_a_session_ends_it_everywhere(
    site: OpenidSite, told: Told, event: Callable[[OpenidSite], object]
) -> None:
    browser = site.browser()
    tokens = browser.tokens()
    code = browser.code()
    event(site)
    assert not is_logged_in(browser)
    assert site.get("/userinfo", Authorization=f"Bearer {tokens['access_token']}").status_code == 401
    assert site.redeem(code).json["error"] == "invalid_grant"
    sweep(site.provider)
    Messenger(site.provider).deliver()
    (notice,) = told
    assert notice["path"] == "/callback?logout=backchannel"
    assert notice["header"]["typ"] == "logout+jwt"
    assert notice["sid"] == site.claims(tokens["id_token"])["sid"]
    assert (notice["iss"], notice["aud"], notice["sub"]) == (ISSUER, "portal", ADA)
    assert notice["events"] == {EVENT: {}}
    assert notice["jti"]
    assert "nonce" not in notice
    assert notice["exp"] > site.clock()


def test_a_session_that_ended_does_not_come_back(site: OpenidSite) -> None:
    browser = site.browser()
    browser.code()
    site.people.suspend("ada@example.org")
    assert not is_logged_in(browser)
    site.people.reinstate("ada@example.org")
    assert not is_logged_in(browser)


def test_the_database_does_not_grow_for_ever(site: OpenidSite) -> None:
    browser = site.browser()
    browser.tokens()
    site.clock.move(601)
    sweep(site.provider)
    assert rows(site, "tokens") == 0
    site.clock.move(60)
    sweep(site.provider)
    assert rows(site, "codes") == 0
    assert is_logged_in(browser)
    site.clock.move(43200)
    sweep(site.provider)
    assert [rows(site, table) for table in ("sessions", "participants", "codes", "tokens")] == [0, 0, 0, 0]


def rows(site: OpenidSite, table: str) -> int:
    with closing(sqlite3.connect(site.directory / "openid.db")) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  (a constant)


def test_of_too_many_unfinished_logins_the_oldest_is_forgotten() -> None:
    steps = SecondSteps()
    tickets = [steps.open("ada", PASSWORD) for _ in range(10_001)]
    assert steps.find(tickets[0]) is None
    last = steps.find(tickets[-1])
    assert last is not None
    assert last.password == PASSWORD
    assert PASSWORD not in repr(last)


def test_the_clients_are_told_even_if_nobody_comes_back(site: OpenidSite, told: Told) -> None:
    site.browser().tokens()
    other = site.browser()
    other.tokens()
    sweep(site.provider)
    Messenger(site.provider).deliver()
    assert told == []
    site.people.set_password("ada@example.org", "Another-Pass-2")
    sweep(site.provider)
    Messenger(site.provider).deliver()
    assert len({notice["sid"] for notice in told}) == 2
    assert not is_logged_in(other)


def test_a_notice_waits_for_a_client_that_is_down_and_for_a_restart(site: OpenidSite, told: Told) -> None:
    listening = site.clients
    site.clients = [{**PORTAL, "backchannel_logout_uri": "http://127.0.0.1:1/"}]
    site.start()
    site.browser().tokens()
    site.provider.sessions.end_of_user(ADA)
    Messenger(site.provider).deliver()
    site.clients = listening
    site.start()
    Messenger(site.provider).deliver()
    Messenger(site.provider).deliver()
    assert len(told) == 1


def test_a_client_that_is_down_is_asked_now_and_then_and_given_up_in_the_end(
    site: OpenidSite, caplog: pytest.LogCaptureFixture
) -> None:
    site.clients = [{**PORTAL, "backchannel_logout_uri": "http://127.0.0.1:1/"}]
    site.start()
    for _ in range(3):
        site.browser().tokens()
    site.provider.sessions.end_of_user(ADA)
    messenger = Messenger(site.provider)
    for _ in range(2):
        messenger.deliver()
        messenger.deliver()
        site.clock.move(REST_SECONDS)
    assert len(caplog.messages) == 2
    assert all(message.startswith("client portal was not told of a logout: ") for message in caplog.messages)
    assert len(site.provider.notices.waiting()) == 3
    site.clock.move(KEPT_SECONDS)
    sweep(site.provider)
    assert site.provider.notices.waiting() == []


def test_a_client_that_refuses_is_not_asked_again(
    site: OpenidSite, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    uri = str(site.clients[0]["backchannel_logout_uri"]).replace("/callback", "/refused")
    site.clients = [{**PORTAL, "backchannel_logout_uri": uri}]
    site.start()
    site.browser().tokens()
    site.provider.sessions.end_of_user(ADA)
    Messenger(site.provider).deliver()
    assert caplog.messages == ["client portal refused to be told of a logout: it answered with status 405"]
    assert len(told) == 1
    assert site.provider.notices.waiting() == []


def test_a_user_sees_and_ends_the_sessions(site: OpenidSite) -> None:
    here, there = site.browser(), site.browser()
    here.tokens()
    site.clock.move(60)
    there.tokens()
    latest, first = site.provider.sessions.of_user(ADA)
    assert latest.auth_time >= first.auth_time + 60
    assert latest.address == "192.0.2.7"
    assert latest.browser == "Sample Browser 1"
    assert site.provider.sessions.end_of_user(ADA, but=latest.sid) == 1
    assert not is_logged_in(here)
    assert is_logged_in(there)


def test_a_page_says_so_when_the_database_is_gone(site: OpenidSite) -> None:
    browser = site.browser()
    browser.code()
    site.directory.joinpath("openid.db").write_bytes(b"no database" * 100)
    answer = browser.get(authorize_url())
    assert answer.status_code == 503
    assert "does not answer right now" in answer.text
    with pytest.raises(StoreError, match=r"openid\.db"):
        site.start()


def logout_url(**asked: str) -> str:
    return f"{BASE}/logout?{urlencode(asked)}"


def test_a_client_logs_the_user_out(site: OpenidSite, told: Told) -> None:
    browser = site.browser()
    hint = browser.tokens()["id_token"]
    answer = browser.get(logout_url(id_token_hint=hint, post_logout_redirect_uri=AFTER_LOGOUT, state="x&y"))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{AFTER_LOGOUT}?state=x%26y")
    (line,) = cookie_lines(answer)
    assert f"{SESSION_COOKIE}=;" in line
    assert not is_logged_in(browser)
    Messenger(site.provider).deliver()
    assert len(told) == 1


def test_an_expired_id_token_still_names_its_session(site: OpenidSite) -> None:
    browser = site.browser()
    hint = browser.tokens()["id_token"]
    site.clock.move(3600)
    assert "You are logged out" in browser.get(logout_url(id_token_hint=hint)).text
    assert not is_logged_in(browser)


def test_a_stranger_cannot_log_a_user_out(site: OpenidSite) -> None:
    other = site.browser().tokens()["id_token"]
    browser = site.browser()
    browser.tokens()
    for url in (logout_url(), logout_url(id_token_hint="x.y.z"), logout_url(id_token_hint=other)):
        page = browser.get(url)
        assert "Log out?" in page.text
        assert "ada@example.org" in page.text
        assert is_logged_in(browser)
        refused = browser.post(url, {"form_token": "guessed"})
        assert "Log out?" in refused.text
        assert is_logged_in(browser)
    assert "You are logged out" in browser.submit(page).text
    assert not is_logged_in(browser)


@pytest.mark.parametrize("target", ["https://evil.example.com/", f"{AFTER_LOGOUT}/", "//evil.example.com", "/"])
def test_a_logout_leads_to_registered_addresses_only(site: OpenidSite, target: str) -> None:
    browser = site.browser()
    hint = browser.tokens()["id_token"]
    answer = browser.get(logout_url(id_token_hint=hint, post_logout_redirect_uri=target))
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    answer = browser.get(logout_url(post_logout_redirect_uri=AFTER_LOGOUT))
    assert answer.status_code == 400
    assert is_logged_in(browser)


def test_a_confirmed_logout_goes_back_to_the_client(site: OpenidSite) -> None:
    browser = site.browser()
    browser.tokens()
    page = browser.get(logout_url(client_id="portal", post_logout_redirect_uri=AFTER_LOGOUT))
    assert browser.submit(page).headers["Location"] == AFTER_LOGOUT


def test_a_client_may_post_the_logout(site: OpenidSite) -> None:
    browser = site.browser()
    hint = browser.tokens()["id_token"]
    answer = browser.post(f"{BASE}/logout", {"id_token_hint": hint, "post_logout_redirect_uri": AFTER_LOGOUT})
    assert answer.headers["Location"] == AFTER_LOGOUT
    assert not is_logged_in(browser)


def test_somebody_who_is_not_logged_in_can_log_out(site: OpenidSite) -> None:
    assert "You are logged out" in site.browser().get(logout_url()).text


def test_a_code_cannot_be_had_for_a_session_that_ended_meanwhile(site: OpenidSite) -> None:
    browser = site.browser()
    code = browser.code()
    browser.submit(browser.get(logout_url()))
    answer = site.redeem(code)
    assert (answer.status_code, json.loads(answer.text)["error"]) == (400, "invalid_grant")
