"""A move followed live, and what others say, which is shown as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from migctl_rig import Inside, dead_service
from owned_grids import OwnedGrids
from page_browser import LATER, NOW, SHOP, Browser, desk_of, ended, owner, text

from migrid.grid.errors import UnreachableError
from migrid.migctl.page import events
from migrid.migctl.page.showing import MOST_STREAMS


class TestLive:
    """Server-sent events."""

    def test_until_the_end(self, ada: Browser) -> None:
        path = ada.start(**NOW)
        found = list(received(ada, path))
        assert {each["event"] for each in found[:-1]} <= {"news"}
        last = found[-1]
        assert last["event"] == "over"
        assert "The application has moved" in last["data"]["status"]
        assert "Target application" in last["data"]["timeline"]
        assert any("preflight" in each["data"].get("log", "") for each in found)

    def test_a_browser_that_comes_back_goes_on_where_it_was(self, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        ada.post(path)
        ended(there, path)
        (first,) = received(ada, path)
        (again,) = received(ada, path, first["id"])
        assert "preflight" in first["data"]["log"]
        assert "log" not in again["data"]
        assert again["data"]["status"] == first["data"]["status"]

    def test_an_id_that_is_not_ours_is_as_good_as_none(self, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        ada.post(path)
        ended(there, path)
        for known in ("", "x", "/", "nan/1", "-1/x", "inf/0", "9" * 500, "1e400/1", "1/1\t2"):
            (found,) = received(ada, path, known)
            assert "cancelled" in found["data"]["status"]

    def test_a_grid_that_falls_silent(self, grids: OwnedGrids, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        alive = there.services["grid-b"]
        there.services["grid-b"] = FallsSilent(alive)
        (found,) = received(ada, path)
        assert (found["event"], "does not answer" in found["data"]["status"]) == ("silent", True)
        there.services["grid-b"] = dead_service(grids, "grid-b")
        page = ada.get(path)
        assert (page.status_code, "does not answer" in text(page)) == (200, True)
        assert "http-equiv" in page.text
        there.services["grid-b"] = alive
        ada.post(path)
        ended(there, path)

    def test_it_ends_after_a_while_so_that_the_session_is_asked_for_again(
        self, ada: Browser, there: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "SECONDS", 0.0)
        path = ada.start(**LATER)
        assert list(received(ada, path)) == []
        stranger = Browser(ada.app)
        assert stranger.get(f"{path}/events").status_code == 303
        ada.post(path)
        ended(there, path)

    def test_there_are_not_more_at_once_than_the_page_can_bear(self, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        many = [ada.get(f"{path}/events", buffered=False) for _ in range(MOST_STREAMS)]
        assert {each.status_code for each in many} == {200}
        assert ada.get(f"{path}/events").status_code == 503
        assert ada.get(path).status_code == 200
        many.pop().close()
        with_room = ada.get(f"{path}/events", buffered=False)
        assert with_room.status_code == 200
        for each in (*many, with_room):
            each.close()
        ada.post(path)
        ended(there, path)


class TestWhatOthersSayIsShownAsText:
    """Names, log lines and errors that try to be HTML."""

    EVIL = "<img src=x onerror=alert(1)>\n</script><script>alert(2)</script>\ndata: {}"

    def test_in_errors(self, there: Inside) -> None:
        there.services["grid-b"] = Says(there.services["grid-b"], self.EVIL)
        ada = owner(desk_of(there))
        for answer in (ada.get("/"), ada.get("/moves"), ada.post("/", SHOP)):
            assert "alert(1)" in answer.text
            assert "<img" not in answer.text
            assert "<script>" not in answer.text
        checked = ada.get("/name?grid=grid-b&app=x")
        assert checked.mimetype == "application/json"
        assert checked.headers["X-Content-Type-Options"] == "nosniff"

    def test_in_logs_and_reports(self, grids: OwnedGrids, ada: Browser, there: Inside) -> None:
        path = ada.start(**LATER)
        ada.post(path)
        ended(there, path)
        directory = grids.b.state.move_directory(path.rpartition("/")[2])
        with (directory / "log").open("a") as stream:
            stream.write(self.EVIL)
        report = json.loads((directory / "report.json").read_text())
        report |= {"result": "rolled_back", "error": self.EVIL, "warnings": [self.EVIL], "where": [self.EVIL]}
        (directory / "report.json").write_text(json.dumps(report))
        page = ada.get(path).text
        assert page.count("alert(1)") == 4
        assert "<img" not in page
        assert "<script>" not in page
        (found,) = received(ada, path)
        assert self.EVIL in found["data"]["log"]
        assert "<img" not in found["data"]["timeline"]


class FallsSilent:
    """A grid that knows its moves and then does not answer any more."""

    def __init__(self, service: Any) -> None:
        self._service = service

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._service, verb)

    def news(self, *_: object) -> None:
        raise UnreachableError("Grid grid-b does not answer.")


class Says:
    """A grid that answers everything with an error."""

    def __init__(self, service: Any, words: str) -> None:
        self._service = service
        self._words = words

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._service, verb) if verb == "whose" else self._refuse

    def _refuse(self, *_: object) -> None:
        raise UnreachableError(self._words)


def received(somebody: Browser, path: str, last_id: str = "") -> Iterator[dict[str, Any]]:
    """The events that a browser gets (HTML Living Standard, section 9.2.6)."""
    answer = somebody.get(f"{path}/events", headers={"Last-Event-ID": last_id} if last_id else {})
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream"), answer.text
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "data" in fields:
            yield {**fields, "data": json.loads(fields["data"])}
