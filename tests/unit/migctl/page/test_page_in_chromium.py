"""The page in Chromium: an owner moves an application whose page stops and comes back on the other grid."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from loopback import free_port, until
from migctl_rig import Inside, dead_service, inside
from monitor_rig import make_pair, monitor_secrets
from owned_grids import OwnedGrids
from page_browser import LATER, PASSWORD, desk_of
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from migrid.grid.moves import control
from migrid.migctl.monitor import application as monitor
from migrid.migctl.page import events
from migrid.migctl.page.application import build
from migrid.migctl.page.context import Desk

SCREENSHOTS = Path(__file__).parents[4] / "build/screenshots"
FIELDS = "input:not([type=hidden]), select, textarea, button, summary"
UNLABELLED = """(fields) => [...document.querySelectorAll(fields)]
    .filter((field) => !field.labels?.length && !field.ariaLabel && !field.textContent.trim())
    .map((field) => field.outerHTML)"""
TOO_WIDE = "document.scrollingElement.scrollWidth > window.innerWidth"
PATIENCE = 60_000
"""Milliseconds, as all times of Playwright: also for a machine that has other work."""
expect.set_options(timeout=PATIENCE)

NewContext = Callable[..., BrowserContext]


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, *_: Any) -> None: ...


class Application:
    """The address of the application, at which its page answers while it runs, on whichever grid."""

    def __init__(self) -> None:
        self._server: BaseWSGIServer | None = None
        self._thread = threading.Thread()
        self._port = free_port()

    @property
    def address(self) -> str:
        return f"http://localhost:{self._port}"

    def start(self, desk: Desk) -> None:
        self.serve(build(desk))

    def serve(self, app: Flask) -> None:
        """Let something else answer at this address."""
        self._server = make_server("localhost", self._port, app, threaded=True, request_handler=Quiet)
        self._server.daemon_threads = False  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """A browser of one person. What its console complains about is an error in the end, but for pages that did not
    answer."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert [line for line in complaints if "net::ERR_" not in line] == []


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, grids: OwnedGrids) -> Iterator[Application]:
    """Its streams are short, so that a page that is stopped ends soon. The grids are closed after it."""
    monkeypatch.setattr(events, "SECONDS", 1.0)
    monkeypatch.setattr(events, "WAIT", 0.5)
    made = Application()
    yield made
    made.stop()


def shot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"migctl-{name}.png", full_page=True)


def check_page(page: Page) -> None:
    """What holds for every page: names for all fields, one heading of the first level, and no scrolling sideways."""
    assert page.evaluate(UNLABELLED, FIELDS) == []
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.locator("html").get_attribute("lang") == "en"
    assert not page.evaluate(TOO_WIDE)


def log_in(page: Page) -> None:
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")


def migrate_later(page: Page) -> None:
    """A migration that stops nothing as long as the test goes on."""
    page.get_by_label("Migrate", exact=True).check()
    page.get_by_text("More options").click()
    page.get_by_label("Or at a time").fill(LATER["at"])
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_label("Yes, move shop").check()
    page.get_by_role("button", name="Move it now").click()


@contextmanager
def caretaker(desk: Desk) -> Iterator[None]:
    """What tidies up beside the page."""
    desk.caretaker.start()
    yield
    desk.caretaker.end()
    desk.caretaker.join()


def test_a_migration_from_the_login_to_the_report(
    grids: OwnedGrids, there: Inside, application: Application, new_context: NewContext
) -> None:
    (grids.a.engine().place("shop_store") / "data").write_bytes(os.urandom(6 << 20))
    application.start(desk_of(there))
    page = new_context().new_page()
    page.goto(f"{application.address}/moves")
    shot(page, "login")
    check_page(page)
    log_in(page)
    expect(page.get_by_role("heading", name="Earlier moves")).to_be_visible()
    expect(page).to_have_url(f"{application.address}/moves")

    page.get_by_role("link", name="Move this application").click()
    name = page.get_by_label("Its name there")
    name.fill("Store!")
    expect(page.get_by_text("cannot name an application")).to_be_visible()
    name.fill("store")
    expect(page.get_by_text("store is free on grid-b.")).to_be_visible()
    page.get_by_label("Migrate", exact=True).focus()
    page.keyboard.press("Space")
    page.get_by_text("More options").click()
    page.get_by_label("Bytes a second at most").fill("1M")
    page.get_by_label("Or at a time").fill(LATER["at"])
    shot(page, "choose")
    check_page(page)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    shot(page, "plan")
    check_page(page)
    assert there.lock is None
    page.get_by_label("Yes, move shop to grid-b").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    status = page.locator("#status")
    expect(status).to_contain_text("Copying the data while the application runs")
    expect(page.get_by_role("progressbar", name="Source application")).to_be_visible()
    for measured in ("Copied", "Rate", "Still to go"):
        expect(page.get_by_text(measured, exact=True)).to_be_visible()
    shot(page, "under-way")
    check_page(page)
    address = page.url
    move = address.rpartition("/")[2]

    application.stop()
    expect(page.get_by_text("This page does not answer just now")).to_be_visible()
    shot(page, "stopped")
    control.cut_over(grids.b.state.move_directory(move), "now")
    there.wait("grid-b", move)

    arrived = desk_of(inside(grids, grids.b, "store"))
    application.start(arrived)
    expect(page.get_by_text("The application has moved: it is store on grid-b now.")).to_be_visible()
    expect(page.get_by_role("heading", name="Report")).to_be_visible()
    expect(page).to_have_url(address)
    shot(page, "report")
    check_page(page)
    with caretaker(arrived):
        page.get_by_role("link", name="Earlier moves").click()
        expect(page.get_by_role("link", name=re.compile("Migration of shop from grid-a to grid-b"))).to_be_visible()
        shot(page, "earlier")
        check_page(page)


def test_the_page_goes_on_in_the_monitor_while_the_application_is_stopped(
    grids: OwnedGrids,
    there: Inside,
    application: Application,
    chromium: Browser,
    new_context: NewContext,
    tmp_path: Path,
) -> None:
    secrets = monitor_secrets(there, make_pair(tmp_path))
    application.start(desk_of(inside(grids, grids.a, secrets=secrets)))
    page = new_context().new_page()
    page.goto(application.address)
    log_in(page)
    migrate_later(page)
    expect(page.get_by_role("link", name="Follow it on grid-b")).to_be_visible()
    shot(page, "follow-elsewhere")
    check_page(page)
    address, move = page.url, page.url.rpartition("/")[2]

    application.stop()
    with page.expect_response(lambda answer: answer.url.endswith("/events") and answer.ok):
        application.serve(monitor.build(monitor.monitor_of(grids.b.state, move)))
    expect(page.get_by_role("link", name="Follow it on grid-b")).to_be_hidden()
    expect(page.locator("#silent")).to_be_hidden()
    other = page.context.new_page()
    other.goto(f"{application.address}/login")
    expect(other).to_have_url(address)
    expect(other.get_by_text("Cancel the move …")).to_be_visible()
    shot(other, "monitor")
    check_page(other)
    stranger = chromium.new_page()
    stranger.goto(application.address)
    expect(stranger.get_by_role("heading", name="This application is being moved")).to_be_visible()
    shot(stranger, "being-moved")
    check_page(stranger)
    stranger.close()

    application.stop()
    control.cut_over(grids.b.state.move_directory(move), "now")
    there.wait("grid-b", move)
    application.start(desk_of(inside(grids, grids.b)))
    for each in (page, other):
        expect(each.get_by_text("The application has moved: it is shop on grid-b now.")).to_be_visible()
        expect(each.get_by_role("link", name="Earlier moves")).to_be_visible()
        expect(each).to_have_url(address)


def test_a_snapshot_without_scripts_in_the_dark_on_a_small_screen(
    grids: OwnedGrids, there: Inside, application: Application, new_context: NewContext
) -> None:
    application.start(desk_of(there))
    context = new_context(java_script_enabled=False, color_scheme="dark", viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(application.address)
    log_in(page)
    page.get_by_label("Take a snapshot").check()
    shot(page, "choose-dark")
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_label("Yes, copy shop to grid-b").check()
    shot(page, "plan-dark")
    page.get_by_role("button", name="Take the snapshot now").click()
    expect(page.get_by_text("Source application")).to_be_visible()
    shot(page, "under-way-dark")
    expect(page.get_by_text("The snapshot is made: shop on grid-b, stopped.")).to_be_visible()
    shot(page, "report-dark")
    assert (grids.runs("shop"), grids.b.state.applications()) == ({"grid-a"}, ["shop"])


def test_a_cancelled_move_an_override_and_a_grid_that_does_not_answer(
    grids: OwnedGrids, there: Inside, application: Application, new_context: NewContext
) -> None:
    desk = desk_of(there)
    application.start(desk)
    page = new_context().new_page()
    page.goto(application.address)
    log_in(page)
    migrate_later(page)

    second = new_context().new_page()
    second.goto(application.address)
    log_in(second)
    expect(second.get_by_role("heading", name="A move is under way")).to_be_visible()
    shot(second, "locked")
    check_page(second)
    second.get_by_role("link", name="View the move").click()
    expect(second).to_have_url(page.url)

    with caretaker(desk):
        page.get_by_text("Cancel the move …").click()
        shot(page, "cancel")
        page.get_by_role("button", name="Cancel the move").click()
        for each in (page, second):
            expect(each.get_by_text("The move was cancelled. The application is shop on grid-a")).to_be_visible()
        expect(page.get_by_role("heading", name="Report")).to_be_visible()
        shot(page, "cancelled")
        until(lambda: there.lock is None)

    there.services["grid-b"] = dead_service(grids, "grid-b")
    page.goto(application.address)
    expect(page.get_by_text("not reachable")).to_be_visible()
    shot(page, "not-reachable")
    check_page(page)
