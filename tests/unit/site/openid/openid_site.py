"""A provider with two users and two clients, a browser in front of it, and a client that talks to it directly."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from flask import Flask
from werkzeug.test import Client, TestResponse

from migrid.site.logins import Attempt, Method, Outcome, Reason, Service
from migrid.site.openid import clients
from migrid.site.openid.application import build
from migrid.site.openid.provider import Provider
from migrid.site.openid.settings import Settings
from migrid.site.store import User

HOST = "https://grid.example.org"
ISSUER = f"{HOST}/openid/"
BASE = "/openid"
ADA = "/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
THORDIS = "/C=IS/ST=NA/L=NA/O=Háskóli/OU=NA/CN=Þórdís Sýnishorn/emailAddress=thordis@example.org"
PASSWORD = "Sample-Pass-1"
CODE = "123456"
SECRET = "portal-secret-0123456789abcdef0123456789"
OTHER_SECRET = "wiki-secret+0123456789/abcdef=0123456789"
CALLBACK = "https://portal.example.org/oidc/callback"
AFTER_LOGOUT = "https://portal.example.org/bye"
PORTAL = {
    "client_id": "portal",
    "client_secret": SECRET,
    "redirect_uris": [CALLBACK],
    "post_logout_redirect_uris": [AFTER_LOGOUT],
}
WIKI = {"client_id": "wiki", "client_secret": OTHER_SECRET, "redirect_uris": ["https://wiki.example.org/cb?x=1"]}
HEADERS = {"User-Agent": "Sample Browser 1", "X-Forwarded-For": "203.0.113.9, 192.0.2.7"}
VERIFIER = "v" * 50


class Clock:
    """The time, which a test may move on."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved

    def move(self, seconds: float) -> None:
        self.moved += seconds


@dataclass
class People:
    """Who may log in: a small `migrid.site.logins.Logins`. Each wrong password delays the account by ten seconds."""

    clock: Clock
    users: dict[str, User] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    _free_at: dict[str, float] = field(default_factory=dict)

    def add(self, client_id: str, code: str = "") -> None:
        email = client_id.rpartition("=")[2]
        self.users[email] = User(client_id=client_id, client_dir="x", alias=email, created=date(2026, 1, 1))
        self.codes[email] = code
        self.set_password(email, PASSWORD)

    def set_password(self, alias: str, password: str) -> None:
        self.passwords[alias] = password
        self._replace(alias, password_hash=f"hash of {password}")

    def suspend(self, alias: str) -> None:
        self._replace(alias, suspended=True)

    def reinstate(self, alias: str) -> None:
        self._replace(alias, suspended=False)

    def by_password(self, attempt: Attempt, password: str, code: str = "") -> Outcome:
        self.attempts.append(attempt)
        wait = self._free_at.get(attempt.login, 0) - self.clock()
        if wait > 0:
            return Outcome(Reason.TOO_EARLY, None, wait)
        user = self.users.get(attempt.login)
        if user is None or self.passwords[attempt.login] != password:
            self._free_at[attempt.login] = self.clock() + 10
            return Outcome(Reason.UNKNOWN if user is None else Reason.WRONG, None, 10)
        if user.suspended:
            return Outcome(Reason.SUSPENDED, None, 0)
        if self.codes[attempt.login] != code:
            return Outcome(Reason.CODE_WRONG if code else Reason.CODE_MISSING, None, 0)
        return Outcome(Reason.GRANTED, user, 0)

    def still(self, client_id: str, service: Service, method: Method) -> User | None:
        assert (service, method) == (Service.WEB, Method.MIGOIDC)
        found = (user for user in self.users.values() if user.client_id == client_id)
        return next((user for user in found if not user.suspended), None)

    def _replace(self, alias: str, **changes: Any) -> None:
        self.users[alias] = User(**{**vars(self.users[alias]), **changes})


@dataclass
class OpenidSite:
    """A provider whose files are in `directory`."""

    directory: Path
    clock: Clock
    people: People
    clients: list[dict[str, Any]] = field(default_factory=lambda: [PORTAL, WIKI])

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the provider, or start it again as after a crash: with what is in its files."""
        settings = Settings(ISSUER, self.directory, title="Grid & friends", support_email="help@example.org")
        self.provider = Provider(settings, clients.read(self.clients, "clients.json"), self.people, self.clock)
        self.app: Flask = build(self.provider)

    def browser(self) -> Browser:
        return Browser(self)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> TestResponse:
        """What a client posts directly."""
        return Client(self.app).post(f"{BASE}{path}", data=form, headers=headers, base_url=HOST)

    def get(self, path: str, **headers: str) -> TestResponse:
        return Client(self.app).get(f"{BASE}{path}", headers=headers, base_url=HOST)

    def redeem(self, code: str, client: str = "portal", secret: str = SECRET, **changes: str) -> TestResponse:
        """Hand in a code as a client does."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return self.post("/token", form | changes, Authorization=basic(client, secret))

    def claims(self, token: str) -> dict[str, Any]:
        claims = self.provider.keys.verify(token)
        assert claims is not None
        return claims


class Browser:
    """A user's browser: keeps cookies, and follows what stays at the provider."""

    def __init__(self, site: OpenidSite) -> None:
        self.site = site
        self._client = Client(site.app)

    def get(self, url: str) -> TestResponse:
        return self._client.get(url, base_url=HOST, headers=HEADERS)

    def submit(self, page: TestResponse, **given: str) -> TestResponse:
        """Fill in the form of a page and send it."""
        form = form_of(page)
        return self.post(form.action, {**form.values, **given})

    def post(self, url: str, form: Mapping[str, str]) -> TestResponse:
        return self._follow(self.post_once(url, form))

    def post_once(self, url: str, form: Mapping[str, str]) -> TestResponse:
        """The answer as it is, wherever it leads."""
        return self._client.post(url, data=form, base_url=HOST, headers=HEADERS)

    def authorize(self, **changes: str) -> TestResponse:
        """Come from the client to the provider."""
        return self._follow(self.get(authorize_url(**changes)))

    def log_in(self, alias: str = "ada@example.org", password: str = PASSWORD, **changes: str) -> TestResponse:
        """Come from the client and log in; the answer is the way back to the client, or a page."""
        return self.submit(self.authorize(**changes), login=alias, password=password)

    def cookie(self, name: str) -> str:
        """The value of a cookie, in the way of Werkzeug 2.3 and later, or before."""
        if hasattr(self._client, "get_cookie"):
            cookie = self._client.get_cookie(name, urlsplit(HOST).netloc)
        else:
            cookie = next((cookie for cookie in self._client.cookie_jar if cookie.name == name), None)
        return str(cookie.value) if cookie else ""

    def plant(self, name: str, value: str) -> None:
        """Give the browser a cookie."""
        host = urlsplit(HOST).netloc
        if hasattr(self._client, "get_cookie"):
            self._client.set_cookie(name, value, domain=host)
        else:
            self._client.set_cookie(host, name, value)

    def code(self, **changes: str) -> str:
        """Log in, or be logged in: the code that the client gets."""
        answer = self.authorize(**changes)
        if answer.status_code == 200:
            answer = self.submit(answer, login="ada@example.org", password=PASSWORD)
        return answer_of(answer)["code"]

    def tokens(self, **changes: str) -> dict[str, Any]:
        answer = self.site.redeem(self.code(**changes))
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def _follow(self, answer: TestResponse) -> TestResponse:
        while answer.status_code in (302, 303) and answer.headers["Location"].startswith("/"):
            answer = self.get(answer.headers["Location"])
        return answer


def authorize_url(**changes: str) -> str:
    """What the portal asks; a parameter that is changed to '' is left out."""
    asked = {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": CALLBACK,
        "scope": "openid profile email",
        "state": "s&t=ä",
        "nonce": "n-1",
        "code_challenge": challenge(VERIFIER),
        "code_challenge_method": "S256",
    }
    given = {name: value for name, value in (asked | changes).items() if value}
    return f"{BASE}/authorize?{urlencode(given)}"


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def basic(client_id: str, secret: str) -> str:
    """RFC 6749, section 2.3.1."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def answer_of(answer: TestResponse) -> dict[str, str]:
    """What the browser brings back to the client."""
    assert answer.status_code in (302, 303), answer.text
    location = answer.headers["Location"]
    assert location.startswith(CALLBACK), location
    return dict(parse_qsl(urlsplit(location).query))


def header_of(token: str) -> dict[str, Any]:
    """The first part of a signed token."""
    part = token.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


class Form(HTMLParser):
    """The first form of a page: where it goes and what is in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.values: dict[str, str] = {}
        self.fields: dict[str, dict[str, str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert attributes["method"] == "post"
            self.action = attributes["action"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes
            self.values[attributes["name"]] = attributes.get("value", "")


def form_of(page: TestResponse) -> Form:
    form = Form(page.text)
    assert form.action.startswith(f"{BASE}/"), page.text
    return form
