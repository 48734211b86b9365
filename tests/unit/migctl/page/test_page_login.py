"""Who gets in: the login, its delays, sessions and forms. No grid is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from page_browser import LOGIN, PASSWORD, Browser, browser, desk_without_grids, hidden, owner, text, where
from werkzeug.test import TestResponse

from migrid.migctl.page.application import build, create_app
from migrid.migctl.page.attempts import FREE, LONGEST, MOST, Attempts
from migrid.migctl.page.caretaker import Caretaker
from migrid.migctl.page.context import Desk
from migrid.migctl.properties import Properties
from migrid.networks import network_of

INSIDE = "grid_info cannot be read"
PAGES = ["/", "/override", "/name", "/moves", "/moves/current", "/plans/x", "/moves/grid-b/x", "/moves/grid-b/x/log"]
DAY = 86400


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_without_grids(tmp_path / "3tera")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the clock of cookies go on."""

    def pass_by(seconds: float) -> None:
        now = TimestampSigner.get_timestamp
        monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda signer: now(signer) + int(seconds))

    return pass_by


class TestGettingIn:
    """The right login, and the wrong ones."""

    @pytest.mark.parametrize("page", PAGES)
    def test_every_page_asks_for_the_login_and_then_answers(self, desk: Desk, page: str) -> None:
        somebody = browser(desk)
        asked = somebody.get(page)
        assert (asked.status_code, where(asked)) == (303, f"/login?wanted={page}")
        answer = somebody.post(asked.location, {"username": "ada", "password": PASSWORD})
        assert (answer.status_code, answer.location) == (303, page)
        assert INSIDE in somebody.get("/").text

    @pytest.mark.parametrize(
        ("username", "password"),
        [("ada", "wrong"), ("ada", ""), ("", PASSWORD), ("", ""), ("Ada", PASSWORD), ("ada", PASSWORD + " "),
         ("ada\0", PASSWORD), ("ad\ud800", PASSWORD), ("a" * 10_000, "b" * 10_000)],
    )  # fmt: skip
    def test_a_wrong_login_opens_nothing(self, desk: Desk, username: str, password: str) -> None:
        somebody = browser(desk)
        answer = somebody.log_in(password, username.encode("utf-8", "replace").decode())
        assert (answer.status_code, "username or the password is wrong" in text(answer)) == (403, True)
        assert PASSWORD not in answer.text
        assert somebody.get("/").status_code == 303

    def test_too_large_a_form_is_refused(self, desk: Desk) -> None:
        assert browser(desk).log_in("x" * 100_000).status_code == 413

    @pytest.mark.parametrize(
        "wanted",
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/nowhere", "",
         "/login", "/static/site.css", "http:///evil.example", "/%2f%2fevil.example", "\r\nX: y"],
    )  # fmt: skip
    def test_a_login_leads_nowhere_else(self, desk: Desk, wanted: str) -> None:
        assert browser(desk).log_in(wanted=wanted).location == "/"

    def test_who_is_in_is_not_asked_again(self, desk: Desk) -> None:
        assert owner(desk).get("/login?wanted=/moves").location == "/moves"

    def test_logging_out_ends_copies_of_the_session_too(self, desk: Desk) -> None:
        ada = owner(desk)
        copy = dict(ada.cookies)
        assert INSIDE in shown_with(desk, copy).text
        assert ada.post("/logout", shown="/moves").location == "/login"
        assert ada.get("/").status_code == 303
        assert shown_with(desk, copy).status_code == 303


class TestCookies:
    """The cookie that a session is."""

    def test_only_this_host_gets_it_and_no_script(self, desk: Desk) -> None:
        answer = browser(desk).log_in()
        opened, known = sorted(answer.headers.getlist("Set-Cookie"), key=lambda each: "-known" in each)
        for cookie in (opened, known):
            assert cookie.startswith("__Host-migctl-")
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
            assert "Domain" not in cookie

    def test_applications_on_one_host_have_cookies_of_their_own(self, tmp_path: Path) -> None:
        names = {session(owner(desk_without_grids(tmp_path / each)))[0] for each in ("one", "two")}
        assert len(names) == 2

    def test_another_password_ends_all_sessions(self, desk: Desk) -> None:
        ada = owner(desk)
        changed = replace(desk, properties=Properties("ada", "another"))
        named = build(changed).config["SESSION_COOKIE_NAME"]
        assert shown_with(changed, {named: session(ada)[1]}).status_code == 303

    def test_the_key_travels_with_the_volume(self, desk: Desk) -> None:
        ada = owner(desk)
        assert INSIDE in shown_with(desk_without_grids(desk.place), ada.cookies).text
        assert (desk.place / "page_key").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("place", [2, -5, -30])
    def test_a_forged_one_opens_nothing(self, desk: Desk, place: int) -> None:
        name, value = session(owner(desk))
        forged = list(value)
        forged[place] = "A" if forged[place] != "A" else "B"
        for each in ("".join(forged), "e30.x.y", value + "x", value.replace(".", "", 1), ""):
            assert shown_with(desk, {name: each}).status_code == 303

    def test_the_mark_of_a_known_browser_is_no_session(self, desk: Desk) -> None:
        ada = owner(desk)
        name, _ = session(ada)
        assert shown_with(desk, {name: ada.cookies[f"{name}-known"]}).status_code == 303


class TestForms:
    """Only forms of this page, shown to this browser, change something."""

    @pytest.mark.parametrize("path", ["/", "/override", "/plans/x", "/moves/grid-b/x", "/logout"])
    @pytest.mark.parametrize("token", [None, "", "x", "ø"])
    def test_no_other_form_counts(self, desk: Desk, path: str, token: str | None) -> None:
        ada = owner(desk)
        answer = ada.send("POST", path, data={} if token is None else {"form_token": token})
        assert (answer.status_code, "Nothing was changed" in answer.text) == (400, True)
        assert ada.get("/").status_code != 303

    def test_the_token_of_another_visitor_does_not_count(self, desk: Desk) -> None:
        others = owner(desk).hidden("/moves")
        assert owner(desk).send("POST", "/logout", data=others).status_code == 400

    def test_nobody_is_logged_in_by_somebody_elses_form(self, desk: Desk) -> None:
        others = browser(desk).hidden("/login")
        login = {"username": "ada", "password": PASSWORD}
        assert browser(desk).send("POST", "/login", data=others | login).status_code == 400

    def test_the_token_from_before_the_login_does_not_count_after_it(self, desk: Desk) -> None:
        ada = browser(desk)
        before = ada.hidden("/login")
        ada.log_in()
        assert ada.send("POST", "/logout", data=before).status_code == 400


class TestOldPages:
    """A page that was left open."""

    def test_for_a_day(self, desk: Desk, later: Callable[[float], None]) -> None:
        ada = owner(desk)
        form = ada.hidden("/moves/grid-b/x")
        later(DAY)
        asked = ada.send("POST", "/moves/grid-b/x", data=form)
        assert (asked.status_code, where(asked)) == (303, "/login?wanted=/moves/grid-b/x")
        assert ada.post(asked.location, {"username": "ada", "password": PASSWORD}).location == "/moves/grid-b/x"

    def test_a_login_page_for_a_day(self, desk: Desk, later: Callable[[float], None]) -> None:
        somebody = browser(desk)
        form = hidden(somebody.get("/login?wanted=/moves").text) | {"username": "ada", "password": PASSWORD}
        later(DAY)
        answer = somebody.send("POST", "/login", data=form)
        assert (answer.status_code, "open for too long" in answer.text) == (400, True)
        again = hidden(answer.text) | {"username": "ada", "password": PASSWORD}
        assert somebody.send("POST", "/login", data=again).location == "/moves"

    def test_a_session_lives_by_being_used(self, desk: Desk, later: Callable[[float], None]) -> None:
        ada = owner(desk)
        for _ in range(3):
            later(20 * 60)
            assert INSIDE in ada.get("/").text
        later(31 * 60)
        assert ada.get("/").status_code == 303

    def test_but_not_for_ever(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        ada = owner(desk)
        monkeypatch.setattr("migrid.migctl.page.sessions.LONGEST", 0.0)
        assert ada.get("/").status_code == 303


class TestGuessing:
    """Wrong passwords are slow, and lock out nobody else."""

    @pytest.fixture
    def desk(self, tmp_path: Path, clock: Clock) -> Desk:
        return replace(desk_without_grids(tmp_path / "3tera"), attempts=Attempts(clock))

    def test_the_right_password_has_to_wait_too(self, desk: Desk, clock: Clock) -> None:
        somebody = browser(desk)
        assert [somebody.log_in("wrong").status_code for _ in range(FREE + 1)] == [403] * FREE + [429]
        answer = somebody.log_in()
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        clock.now += 1
        assert somebody.log_in().status_code == 303

    def test_others_need_not_wait(self, desk: Desk) -> None:
        app = build(desk)
        stranger, ada = Browser(app, "192.0.2.66"), Browser(app, "192.0.2.7")
        for _ in range(FREE + 3):
            stranger.log_in("wrong")
        assert (stranger.log_in().status_code, ada.log_in().status_code) == (429, 303)

    def test_nor_does_a_browser_that_was_in_before_behind_the_same_address(self, desk: Desk) -> None:
        app = build(desk)
        ada, stranger = Browser(app), Browser(app)
        ada.log_in()
        ada.post("/logout", shown="/moves")
        for _ in range(FREE + 3):
            stranger.log_in("wrong")
        assert (stranger.log_in().status_code, ada.log_in().status_code) == (429, 303)

    def test_a_known_browser_cannot_guess_for_ever(self, desk: Desk) -> None:
        ada = browser(desk)
        ada.log_in()
        ada.post("/logout", shown="/moves")
        assert [ada.log_in("wrong").status_code for _ in range(FREE + 1)][-1] == 429

    def test_delays_grow_and_end(self, clock: Clock) -> None:
        attempts = Attempts(clock)
        waits = []
        for _ in range(FREE + 9):
            wait = attempts.claim("x")
            waits.append(wait)
            clock.now += wait
            if wait:
                assert attempts.claim("x") == 0.0
        assert waits[FREE : FREE + 8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST]

    def test_no_more_is_remembered_than_fits(self, clock: Clock) -> None:
        attempts = Attempts(clock)
        for number in range(MOST + 10):
            attempts.claim(str(number))
        assert len(attempts._failed) == MOST

    def test_what_counts_as_one_address(self) -> None:
        assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::") != network_of("2001:db8:1:3::")
        assert network_of("192.0.2.1") == network_of("::ffff:192.0.2.1") != network_of("::ffff:192.0.2.2")
        assert network_of("192.0.2.1") != network_of("192.0.2.2")
        assert network_of("") == ""


class TestWithoutLogin:
    """An empty username."""

    def test_everybody_sees_it_and_a_warning(self, tmp_path: Path) -> None:
        page = browser(desk_without_grids(tmp_path, Properties())).get("/")
        assert INSIDE in page.text
        assert "This page has no login" in page.text
        assert "Log out" not in page.text

    def test_no_password_is_right_then(self, tmp_path: Path) -> None:
        somebody = browser(desk_without_grids(tmp_path, Properties()))
        assert somebody.get("/login").location == "/"
        assert somebody.send("POST", "/login", data={"username": "", "password": ""}).status_code == 400


def test_what_is_wrong_on_the_volume_is_mended_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Caretaker, "start", lambda _: None)
    for name, value in {"username": "ada", "password": PASSWORD, "mode": "snapshot"}.items():
        monkeypatch.setenv(name, value)
    ada = Browser(create_app(tmp_path))
    ada.log_in()
    assert "grid_info cannot be read" in text(ada.get("/"))
    (tmp_path / "grid_info").write_text("grid-a:\n  port: 22\n")
    assert "line 2, grid-a, port: there is no such field" in text(ada.get("/"))
    (tmp_path / "grid_info").write_text(f"grid-a:\n  controller: 192.0.2.1\n  host_key: ssh-ed25519 {'A' * 60}\n")
    assert "This is no container of Docker's engine" in text(ada.get("/"))


def test_headers_of_every_page(desk: Desk) -> None:
    ada = owner(desk)
    for path in ("/", "/login", "/nowhere", "/moves"):
        headers = ada.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_pages_have_no_inline_script_or_style(desk: Desk) -> None:
    pages = browser(desk).get("/login").text + owner(desk).get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", pages)


def test_the_style_sheet_and_the_script_are_there(desk: Desk) -> None:
    somebody = browser(desk)
    for path in re.findall(r'(?:href|src)="(/[^"]+\.\w+)"', somebody.get("/login").text):
        assert somebody.get(path).status_code == 200, path
    assert LOGIN.password not in somebody.get("/login").text


def session(somebody: Browser) -> tuple[str, str]:
    """The name and the value of the cookie that the session is."""
    return next((name, value) for name, value in somebody.cookies.items() if not name.endswith("-known"))


def shown_with(desk: Desk, cookies: Mapping[str, str]) -> TestResponse:
    """The first page, for whoever has these cookies."""
    return Browser(build(desk), cookies=cookies).get("/")
