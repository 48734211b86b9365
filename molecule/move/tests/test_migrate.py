"""The shop moves, under load, and everything of it arrives."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta

from proof import faults
from proof.fixtures import APP, Place, check_writes, find
from proof.grids import Grid
from proof.moves import Operator
from proof.shop import OTHER_PORT, Shop, load
from proof.witness import Witness


def test_a_plan_changes_nothing(place: Place, operator: Operator) -> None:
    before = place.here.grid.seen(), place.there.seen(), place.there.moves()
    checked = operator.move("--check", "--diff", app=APP, target_grid=place.there.name)
    assert checked.succeeded() == {}
    planned = operator.move(app=APP, target_grid=place.there.name, plan_only="true")
    assert planned.succeeded()["result"] == "planned"
    assert planned.report["predicted_downtime_seconds"] > 0
    for output in (checked.output, planned.output):
        for check in ("name", "ports", "disk", "architecture", "images", "clock"):
            assert f"\n{check} " in output, f"the plan does not say anything of {check}"
    assert (place.here.grid.seen(), place.there.seen(), place.there.moves()) == before


def test_there_and_back(place: Place, operator: Operator, writing: load.Load) -> None:
    """By itself when it is ready, and back at a time."""
    began, files = time.time(), place.here.every_kind_of_file()
    report = operator.move(app=APP, target_grid=place.there.name).succeeded()
    check_report(report, place)
    moved = Shop(place.there)
    check_arrival(moved, place, report, files)
    assert load.ask(place.here.address, "GET", "/health")[1]["instance"]["grid"] == place.there.name
    assert check_downtime(writing, moved, began) < report["downtime_seconds"] + 0.5

    struck = faults.strike(place.here.grid, "precopy", "true")
    waiting = operator.start_move(app=APP, target_grid=place.here.grid.name, cut_over=in_seconds(3600))
    struck.happened()
    at = in_seconds(20)
    back = operator.move(app=APP, target_grid=place.here.grid.name, cut_over=at).succeeded()
    assert waiting.end().succeeded()["move"] == back["move"]
    returned = Shop(place.here.grid)
    check_arrival(returned, Place(moved, place.here.grid), back, files)
    stopped = check_writes(writing, returned).outages[-1].since - datetime.fromisoformat(at).timestamp()
    assert -0.5 < stopped < 10, "it was stopped at another time than asked for"


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_round_trip(place: Place, operator: Operator, grids: tuple[Grid, ...], writing: load.Load) -> None:
    """Over the other grids, which keep volumes on another file system, and back."""
    files = place.here.every_kind_of_file()
    stations = [place.here.grid, *(grid for grid in place.others if grid in grids[2:]), place.here.grid]
    for source, target in itertools.pairwise(stations):
        report = operator.move(app=APP, target_grid=target.name).succeeded()
        before = Place(Shop(source), target)
        check_report(report, before)
        check_arrival(Shop(target), before, report, files)
    check_writes(writing, place.here)


def check_report(report: dict[str, object], place: Place) -> None:
    said = {
        "action": "migrate",
        "app": APP,
        "source_grid": place.here.grid.name,
        "target_grid": place.there.name,
        "target_app": APP,
        "result": "migrated",
        "verified": True,
    }
    assert report | said == report
    assert report["bytes_before_stop"] > report["bytes_in_stop"] > 0  # type: ignore[operator]
    assert report["rounds"] >= 2  # type: ignore[operator]


def check_arrival(shop: Shop, before: Place, report: dict[str, object], files: list[dict[str, object]]) -> None:
    """All that the shop had is there, what was written just before the stop included, and nothing more."""
    assert shop.every_kind_of_file() == files
    assert set(shop.markers().values()) == {report["move"]}
    assert shop.exec("web", "ls -A /srv/spool") == "", "the image filled a volume that was empty"
    assert load.ask(shop.address, "GET", "/health")[1]["instance"]["grid"] == shop.grid.name
    told = [hook for hook in shop.hooks() if hook["MIG_MOVE"] == report["move"]]
    assert [hook["point"] for hook in told] == ["pre_stop", "post_start", "hand_over"]
    assert (
        told[0]
        | {
            "MIG_ACTION": "migrate",
            "MIG_SOURCE_GRID": before.here.grid.name,
            "MIG_SOURCE_ADDRESS": before.here.grid.address,
            "MIG_TARGET_GRID": shop.grid.name,
            "MIG_TARGET_ADDRESS": shop.grid.address,
            "MIG_TARGET_APP": APP,
        }
        == told[0]
    )


def check_downtime(writing: load.Load, shop: Shop, since: float) -> float:
    """The shop was away once, as a client sees it that asks both addresses; returns for how long."""
    outages = [outage for outage in check_writes(writing, shop).outages if outage.since > since]
    assert len(outages) == 1, outages
    assert outages[0].seconds is not None
    return float(outages[0].seconds)


def test_a_kept_source_under_another_name(place: Place, operator: Operator) -> None:
    """Renamed and with another port on arrival; the source keeps its data and stays stopped whatever happens."""
    options = {"app": APP, "target_grid": place.there.name, "target_app": "boutique", "destroy_source": "keep"}
    report = operator.move(**options).succeeded()
    assert report["target_app"] == "boutique"
    boutique = Shop(place.there, "boutique", OTHER_PORT)
    boutique.wait()
    assert place.there.seen().running >= {"boutique-db-1", "boutique-web-1"}
    kept = place.here.grid
    assert kept.seen().volumes
    faults.restart_engine(kept)
    assert not any(name.startswith(f"{APP}-") for name in kept.seen().running)
    refused = kept.result(f"mig-grid start {APP}")
    assert refused.returncode != 0
    assert place.there.name in refused.stderr.decode()
    assert "boutique" in refused.stderr.decode()

    kept.run(f"mig-grid destroy --yes {APP}")
    operator.move(app="boutique", target_grid=kept.name, target_app=APP).succeeded()
    place.there.run("mig-grid unforward boutique")


def test_a_snapshot(place: Place, operator: Operator, grids: tuple[Grid, ...], witness: Witness) -> None:
    """The source runs on, though MigHelper dies just before; the copy stays stopped until somebody starts it, and then
    it works by itself."""
    struck = faults.strike(place.there, "resume_source", faults.kill_helper("copy"))
    files, before = place.here.every_kind_of_file(), len(place.here.writes().database)
    options = {"app": APP, "target_grid": place.there.name, "target_app": "copy", "action": "snapshot"}
    report = operator.move(**options).succeeded()
    assert struck.happened() == report["move"]
    assert report["result"] == "snapshotted"
    assert report["verified"]
    assert find(grids).here == place.here
    place.here.wait()
    assert [hook["point"] for hook in place.here.hooks() if hook["MIG_MOVE"] == report["move"]] == [
        "pre_stop",
        "post_resume",
    ]

    faults.restart_engine(place.there)
    assert not any(name.startswith("copy") for name in place.there.seen().running)
    assert witness.at_once() == []
    place.there.run("mig-grid start copy")
    copy = Shop(place.there, "copy", OTHER_PORT + 1)
    copy.wait()
    assert copy.every_kind_of_file() == files
    assert set(copy.markers().values()) == {report["move"]}
    copied = copy.writes()
    assert before <= len(copied.database) <= len(place.here.writes().database)
    assert copied.database == place.here.writes().database[: len(copied.database)]
    place.here.wait()
    place.there.run("mig-grid destroy --yes copy")
    assert witness.at_once() != [], "the witness does not see two that run on purpose"
    witness.forget()
