"""A browser at the page of an application."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

from flask import Flask
from migctl_rig import Inside
from werkzeug.test import TestResponse

from migrid.migctl.errors import GridInfoError
from migrid.migctl.migration import Migration
from migrid.migctl.page.application import build
from migrid.migctl.page.context import Desk
from migrid.migctl.properties import Properties

ORIGIN = "https://shop.example.org:8080"
PASSWORD = "Sample-Pass-01"
LOGIN = Properties("ada", PASSWORD)
LATER = {"at": "2099-01-01T00:00:00+00:00"}
NOW = {"cut_over": "now"}
SHOP = {"grid": "grid-b", "app": "store", "action": "migrate"}


class Browser:
    """One browser, with its cookies."""

    def __init__(self, app: Flask, address: str = "192.0.2.7", cookies: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.address = address
        self.cookies = dict(cookies or {})
        self._client = app.test_client(use_cookies=False)

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> TestResponse:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        options |= {"base_url": ORIGIN, "environ_overrides": {"REMOTE_ADDR": self.address}}
        options["headers"] = {**(headers or {}), "Cookie": cookies}
        answer = self._client.open(path, method=method, **{"buffered": True} | options)
        set_ = (cookie.split(";")[0].partition("=") for cookie in answer.headers.getlist("Set-Cookie"))
        self.cookies |= {name: value for name, _, value in set_}
        return answer

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.send("GET", path, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, shown: str = "", **options: Any) -> TestResponse:
        """Send the form at this path, with what its page (or the one that is `shown`) hides in it."""
        return self.send("POST", path, data=self.hidden(shown or path) | (data or {}), **options)

    def hidden(self, path: str) -> dict[str, str]:
        """The hidden fields of the page's last form."""
        return hidden(self.get(path).text)

    def log_in(self, password: str = PASSWORD, username: str = "ada", wanted: str = "/") -> TestResponse:
        return self.post("/login", {"username": username, "password": password, "wanted": wanted})

    @property
    def form_token(self) -> str:
        """What all forms of this session have."""
        found = (
            re.search(r'name="form_token" value="([^"]+)"', self.get(page).text)
            for page in ("/moves", "/override", "/")
        )
        return next(match[1] for match in found if match)

    def plan(self, **changes: str) -> str:
        """Where the plan of a move is."""
        answer = self.post("/", SHOP | changes)
        assert answer.status_code == 303, text(answer)
        return where(answer)

    def start(self, **changes: str) -> str:
        """Where a move that was planned and confirmed is."""
        answer = self.post(self.plan(**changes), {"sure": "yes"})
        assert answer.status_code == 303, text(answer)
        return answer.location


def hidden(page: str) -> dict[str, str]:
    forms = re.findall(r"<form.*?</form>", page, re.S)
    assert forms, page
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', forms[-1]))


def where(answer: TestResponse) -> str:
    """Where an answer leads. Some releases of Flask escape more in it than is needed."""
    return unquote(answer.location or "")


def text(answer: TestResponse) -> str:
    """What a reader sees of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def desk_of(there: Inside, properties: Properties = LOGIN) -> Desk:
    """The page's desk inside an application."""
    return Desk(properties, there.place, lambda: there.migration)


def desk_without_grids(place: Path, properties: Properties = LOGIN) -> Desk:
    """The desk of an application whose owner has not given grid_info yet."""
    return Desk(properties, place, _no_grids)


def browser(desk: Desk, address: str = "192.0.2.7") -> Browser:
    """A new browser; the page is as a new process has it, but for the desk."""
    return Browser(build(desk), address)


def owner(desk: Desk) -> Browser:
    """A browser that has logged in."""
    found = browser(desk)
    assert found.log_in().status_code == 303
    return found


def ended(there: Inside, path: str) -> None:
    """Wait for the end of the move that this page is about."""
    there.wait("grid-b", path.rpartition("/")[2])


def _no_grids() -> Migration:
    return _refuse()


def _refuse() -> NoReturn:
    raise GridInfoError("grid_info cannot be read: No such file or directory. It lists the grids; see docs/migctl.md.")
