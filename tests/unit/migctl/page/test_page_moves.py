"""What an owner does on the page, with model grids behind it: choose, plan, confirm, follow, cancel, look back."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from loopback import until
from migctl_rig import Inside, dead_service, inside
from owned_grids import OwnedGrids
from page_browser import LATER, LOGIN, NOW, SHOP, Browser, browser, desk_of, ended, hidden, owner, text

from migrid.grid.sides import Action
from migrid.migctl import lock_file
from migrid.migctl.lock_file import LockFile
from migrid.migctl.page import offers
from migrid.migctl.page.application import build
from migrid.migctl.properties import Mode, Properties

WRONG = [
    ({"app": "../etc"}, "cannot name an application"),
    ({"app": "a; rm -rf /"}, "cannot name an application"),
    ({"app": "<script>alert(1)</script>"}, "cannot name an application"),
    ({"app": ""}, "cannot name an application"),
    ({"app": "x" * 64}, "cannot name an application"),
    ({"grid": "../grid-b"}, "cannot name a grid"),
    ({"grid": "grid-z"}, "grid_info names no grid grid-z"),
    ({"grid": "grid-a"}, "on grid-a already"),
    ({"grid": ""}, "cannot name a grid"),
    ({"action": "destroy"}, "Choose whether to migrate"),
    ({"at": "soon"}, "cut_over: 'soon' is not accepted"),
    ({"bandwidth_limit": "$(id)"}, "bandwidth_limit: '$(id)' is not accepted"),
    ({"stop_timeout": "-1"}, "stop_timeout: '-1' is not accepted"),
]
"""What somebody could send, and what the page says to it."""


class TestChoosing:
    """The first page."""

    def test_it_says_where_this_is_and_where_it_could_go(self, ada: Browser) -> None:
        page = text(ada.get("/"))
        for part in ("shop on grid-a", "grid-b answers", "free · Docker 26.1.5", "Migrate", "Take a snapshot"):
            assert part in page

    def test_a_grid_that_does_not_answer_says_so_and_cannot_be_chosen(self, grids: OwnedGrids, there: Inside) -> None:
        there.services["grid-b"] = dead_service(grids, "grid-b")
        answer = owner(desk_of(there)).get("/")
        assert "not reachable" in text(answer)
        assert "does not answer" in text(answer)
        assert 'value="grid-b" required disabled' in answer.text

    @pytest.mark.parametrize(("mode", "shown", "hidden_one"), [
        (Mode.MIGRATE, "migrate", "snapshot"), (Mode.SNAPSHOT, "snapshot", "migrate"),
    ])  # fmt: skip
    def test_the_mode_restricts_the_action(self, grids: OwnedGrids, mode: Mode, shown: str, hidden_one: str) -> None:
        there = inside(grids, grids.a, mode=mode)
        somebody = owner(desk_of(there, replace(LOGIN, mode=mode)))
        page = somebody.get("/").text
        assert f'value="{shown}"' in page
        assert f'value="{hidden_one}"' not in page
        answer = somebody.post("/", SHOP | {"action": hidden_one})
        assert (answer.status_code, f"allows {shown} only" in text(answer)) == (400, True)

    def test_names_are_checked_while_they_are_typed(self, ada: Browser) -> None:
        asked = {
            "store": "",
            "Store": "cannot name an application",
            "../etc": "cannot name an application",
            "$(id)": "cannot name an application",
            "": "cannot name an application",
        }
        for app, problem in asked.items():
            answer = ada.get("/name", query_string={"grid": "grid-b", "app": app})
            assert problem in answer.json["problem"]
            assert bool(answer.json["problem"]) is bool(problem)
        taken = ada.get("/name", query_string={"grid": "grid-a", "app": "wiki"}).json["problem"]
        assert "There is an application wiki on this grid already" in taken
        assert "names no grid" in ada.get("/name?grid=grid-z&app=x").json["problem"]

    def test_names_and_options_are_checked_when_they_are_sent(self, ada: Browser, there: Inside) -> None:
        for changes, problem in WRONG:
            answer = ada.post("/", SHOP | changes)
            assert answer.status_code == 400, changes
            assert problem in text(answer)
            assert "<script>alert" not in answer.text
        assert there.lock is None

    def test_what_was_filled_in_is_kept(self, ada: Browser) -> None:
        page = ada.post("/", SHOP | {"app": "Store <b>", "bandwidth_limit": "10M", "action": "snapshot"}).text
        assert 'value="Store &lt;b&gt;"' in page
        assert 'value="10M"' in page
        assert 'value="snapshot" required checked' in page


class TestThePlan:
    """What is shown before anything is changed, and its confirmation."""

    def test_it_says_what_would_happen(self, ada: Browser, there: Inside) -> None:
        page = text(ada.get(ada.plan()))
        for part in ("Downtime", "In all", "checks in order", "volume shop_store", "What does not",
                     "shop on grid-a and its data are removed from grid-a", "Yes, move shop to grid-b"):  # fmt: skip
            assert part in page, part
        assert there.lock is None

    def test_a_snapshot_runs_on(self, ada: Browser) -> None:
        page = text(ada.get(ada.plan(action="snapshot")))
        assert "Then it runs on." in page
        assert "removed" not in page

    def test_what_blocks_it_cannot_be_confirmed(self, grids: OwnedGrids, ada: Browser, there: Inside) -> None:
        grids.a.lock("shop")
        path = ada.plan()
        page = ada.get(path)
        assert "It cannot be moved yet" in text(page)
        assert "shop is locked" in text(page)
        assert 'name="confirmation"' not in page.text
        answer = ada.send("POST", path, data={"form_token": ada.form_token, "sure": "yes"})
        assert (answer.status_code, there.lock) == (409, None)

    def test_it_has_to_be_confirmed(self, ada: Browser, there: Inside) -> None:
        path = ada.plan()
        for fields in ({}, {"sure": ""}):
            answer = ada.post(path, fields)
            assert (answer.status_code, "Say that you are sure" in text(answer)) == (400, True)
        for token in ("", "x", "ø", hidden(ada.get(ada.plan()).text)["confirmation"]):
            assert ada.post(path, {"sure": "yes", "confirmation": token}).status_code == 410
        assert there.lock is None
        ended(there, ada.post(path, {"sure": "yes"}).location)

    def test_a_confirmation_counts_once(self, ada: Browser, there: Inside) -> None:
        path = ada.plan(**NOW)
        form = hidden(ada.get(path).text) | {"sure": "yes"}
        first = ada.send("POST", path, data=form)
        again = ada.send("POST", path, data=form)
        assert (first.status_code, again.status_code) == (303, 410)
        assert "Nothing was started by it now" in text(again)
        assert ada.get(path).status_code == 410
        ended(there, first.location)

    def test_nor_is_it_anybody_elses(self, ada: Browser, there: Inside) -> None:
        path = ada.plan()
        form = hidden(ada.get(path).text)
        other = Browser(ada.app)
        other.log_in()
        assert other.get(path).status_code == 410
        mine = other.hidden("/moves")
        assert other.send("POST", path, data={**form, **mine, "sure": "yes"}).status_code == 410
        assert there.lock is None

    def test_an_old_plan_is_made_anew(self, ada: Browser, monkeypatch: pytest.MonkeyPatch, there: Inside) -> None:
        path = ada.plan()
        form = hidden(ada.get(path).text) | {"sure": "yes"}
        monkeypatch.setattr(offers, "SECONDS", 0.0)
        assert ada.send("POST", path, data=form).status_code == 410
        assert there.lock is None

    def test_without_login_nobody_starts_a_move(self, there: Inside) -> None:
        somebody = browser(desk_of(there, Properties()))
        path = somebody.plan()
        assert "Nobody may start a move here without a login" in text(somebody.get(path))
        assert 'name="confirmation"' not in somebody.get(path).text
        answer = somebody.send("POST", path, data={"form_token": somebody.form_token, "sure": "yes"})
        assert (answer.status_code, there.lock) == (403, None)

    def test_unless_that_is_allowed(self, there: Inside) -> None:
        somebody = browser(desk_of(there, Properties(allow_anonymous=True)))
        assert "may move this application" in text(somebody.get("/"))
        ended(there, somebody.start(**NOW))


class TestAMove:
    """From the confirmation to the report."""

    def test_a_migration(self, grids: OwnedGrids, ada: Browser, there: Inside) -> None:
        path = ada.start(**NOW)
        assert path.startswith("/moves/grid-b/")
        ended(there, path)
        page = text(ada.get(path))
        for part in ("The application has moved: it is store on grid-b now.", "Source application shop on grid-a",
                     "MigHelper MigHelper_store on grid-b", "Target application store on grid-b", "Report", "Downtime",
                     "Proven the same", "preflight"):  # fmt: skip
            assert part in page, part
        assert page.count("100 %") == 3
        assert "Cancel" not in page
        assert grids.runs("store") == {"grid-b"}
        assert "preflight" in ada.get(f"{path}/log").text
        assert ada.get(f"{path}/log").mimetype == "text/plain"

        arrived = inside(grids, grids.b, "store")
        kept = Browser(build(desk_of(arrived)), cookies=ada.cookies)
        assert "The application has moved" in text(kept.get(path))
        desk_of(arrived).caretaker.look()
        assert arrived.lock is None
        assert "store on grid-b" in text(kept.get("/"))
        assert "Migration of shop from grid-a to grid-b as store" in text(kept.get("/moves"))

    def test_it_is_shown_without_scripts(self, ada: Browser) -> None:
        path = ada.start(**LATER)
        page = ada.get(path)
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
        assert "Source application" in text(page)
        assert '<progress max="100"' in page.text
        ada.post(path)

    def test_it_can_be_cancelled(self, grids: OwnedGrids, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        assert "Cancel the move" in ada.get(path).text
        assert ada.post(path).location == path
        ended(there, path)
        page = ada.get(path)
        assert "The move was cancelled. The application is shop on grid-a, as before." in text(page)
        assert "http-equiv" not in page.text
        assert grids.runs("shop") == {"grid-a"}
        desk_of(there).caretaker.look()
        late = ada.send("POST", path, data={"form_token": ada.form_token})
        assert (late.status_code, "No move of this application is under way" in text(late)) == (409, True)

    def test_nobody_cancels_without_login(self, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        somebody = browser(desk_of(there, Properties()))
        assert "Cancel" not in somebody.get(path).text
        answer = somebody.send("POST", path, data={"form_token": somebody.form_token})
        assert (answer.status_code, "without a login" in text(answer)) == (403, True)
        ada.post(path)
        ended(there, path)

    def test_the_caretaker_tidies_up(self, ada: Browser, there: Inside) -> None:
        caretaker = desk_of(there).caretaker
        caretaker.start()
        path = ada.start(**LATER)
        assert there.lock
        ada.post(path)
        ended(there, path)
        until(lambda: there.lock is None)
        caretaker.end()
        caretaker.join()

    def test_what_is_no_move(self, ada: Browser) -> None:
        moves = ("20300101T000000-0123abcd", "..", "%3Cscript%3E", "$(id)")
        for grid, move, part in itertools.product(("grid-b", "grid-z"), moves, ("", "/events", "/log")):
            answer = ada.get(f"/moves/{grid}/{move}{part}")
            assert answer.status_code == 404
            assert "<script>" not in answer.text


class TestTwoBrowsers:
    """Two who do not know of each other."""

    @pytest.fixture
    def bea(self, ada: Browser) -> Browser:
        other = Browser(ada.app, "192.0.2.8")
        other.log_in()
        return other

    def test_the_second_sees_the_lock(self, ada: Browser, bea: Browser, there: Inside) -> None:
        planned = bea.plan(app="other")
        form = hidden(bea.get(planned).text) | {"sure": "yes"}
        path = ada.start(**LATER)
        page = text(bea.get("/"))
        assert "A move is under way" in page
        assert "shop on grid-a to grid-b as store" in page
        late = bea.send("POST", planned, data=form)
        assert (late.status_code, "Somebody has begun or ended a move" in text(late)) == (409, True)
        assert bea.get("/moves/current").location == path
        asked = bea.send("POST", "/", data={"form_token": bea.form_token, **SHOP})
        assert (asked.status_code, "A move is under way" in text(asked)) == (409, True)
        ada.post(path)
        ended(there, path)

    def test_both_confirm_at_once(self, ada: Browser, bea: Browser, grids: OwnedGrids, there: Inside) -> None:
        plans = [(each, each.plan(app=app, **LATER)) for each, app in ((ada, "one"), (bea, "two"))]
        forms = [(each, path, hidden(each.get(path).text) | {"sure": "yes"}) for each, path in plans]
        together = threading.Barrier(2)

        def confirm(item: tuple[Browser, str, dict[str, str]]) -> Any:
            together.wait()
            return item[0].send("POST", item[1], data=item[2])

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(confirm, forms), key=lambda each: each.status_code)
        assert [each.status_code for each in answers] == [303, 409]
        assert len(grids.b.state.moves()) == 1
        ada.post(answers[0].location)
        ended(there, answers[0].location)


class TestTheLock:
    """A lock file that is there already."""

    @pytest.fixture
    def left(self, grids: OwnedGrids, there: Inside) -> Inside:
        """A move that nobody carries out."""
        lock_file.write(there.place / "lock", LockFile("grid-a", "shop", "grid-b", "store", Action.MIGRATE))
        grids.a.lock("shop")
        return there

    def test_overriding_says_what_it_does_and_needs_a_plan_too(self, left: Inside, grids: OwnedGrids) -> None:
        ada = owner(desk_of(left))
        page = text(ada.get("/"))
        assert "View the move" in page
        assert "takes the place of the old one on both grids" in page
        unknown = ada.get("/moves/current")
        assert (unknown.status_code, "knows nothing of the move" in text(unknown)) == (404, True)
        assert "There is a lock file" in text(ada.get("/override"))
        path = ada.post("/override", SHOP | NOW).location
        assert "overrides the lock file" in text(ada.get(path))
        assert "It cannot be moved yet" not in text(ada.get(path))
        assert left.lock
        assert left.lock.move == ""
        ended(left, ada.post(path, {"sure": "yes"}).location)
        assert grids.runs("store") == {"grid-b"}

    def test_only_the_lock_that_was_seen_is_overridden(self, left: Inside) -> None:
        ada = owner(desk_of(left))
        path = ada.post("/override", SHOP).location
        form = hidden(ada.get(path).text) | {"sure": "yes"}
        another = LockFile("grid-a", "shop", "grid-b", "another", Action.SNAPSHOT)
        lock_file.write(left.place / "lock", another)
        assert (ada.send("POST", path, data=form).status_code, left.lock) == (409, another)

    def test_a_damaged_one_is_shown_as_such(self, there: Inside) -> None:
        ada = owner(desk_of(there))
        (there.place / "lock").write_text("{")
        page = text(ada.get("/"))
        assert "is damaged" in page
        assert "View the move" not in page
        assert "Override the lock" in page

    def test_what_contradicts_itself_is_told(self, there: Inside) -> None:
        lock_file.write(there.place / "lock", LockFile("grid-a", "shop", "grid-z", "store", Action.MIGRATE))
        desk = desk_of(there)
        desk.caretaker.look()
        page = text(owner(desk).get("/"))
        assert "grid_info does not name grid-z any more; put it back. Nothing is removed anywhere." in page
        assert there.lock

    def test_without_one_there_is_nothing_to_override(self, ada: Browser) -> None:
        assert ada.get("/override").location == "/"
