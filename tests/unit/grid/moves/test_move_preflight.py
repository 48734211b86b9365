"""Preflight: facts of two grids in, findings out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migrid.grid.application import (
    Application,
    Container,
    Definition,
    Finding,
    Image,
    Level,
    Port,
    Tree,
    TreeKind,
    Wishes,
)
from migrid.grid.engine import EngineInfo
from migrid.grid.moves import plan
from migrid.grid.moves.preflight import CHECKS, Known, preflight
from migrid.grid.moves.request import Request
from migrid.grid.sides import Action, Facts
from migrid.grid.volumes.client import Survey

INFO = EngineInfo("26.1", "1.45", "2.26.1", "amd64", "linux", "overlay2", 10 << 30, 1 << 30, False, True)
PORT = Port("web", 80, "tcp", 8080)
WEB = Container("1", "shop-web-1", "web", 1, "sha256:1", "shop:1", "running", ports=(PORT,))
APPLICATION = Application(
    definition=Definition("shop", Path("/srv/shop"), (Path("/srv/shop/compose.yaml"),)),
    managed=True,
    model={"services": {"web": {}}},
    containers=(WEB,),
    trees=(Tree("data", TreeKind.VOLUME, "shop_data"),),
    images=(Image("sha256:1", "shop:1", ("web",), (), 100, "amd64"),),
    wishes=Wishes(),
)
REQUEST = Request("shop", "grid-a", "grid-b", "shop")
KNOWN = Known(
    request=REQUEST,
    source=Facts("grid-a", "192.0.2.1", 0.0, "1", INFO, ("shop",)),
    target=Facts("grid-b", "192.0.2.2", 0.0, "1", INFO, ()),
    application=APPLICATION,
    survey=Survey(100, 1 << 30, 0),
)


def target(**changes: object) -> Known:
    return replace(KNOWN, target=replace(KNOWN.target, engine=replace(INFO, **changes)))


def test_nothing_is_found_where_all_is_in_order() -> None:
    assert preflight(KNOWN) == ()


@pytest.mark.parametrize(
    ("known", "check", "level"),
    [
        (replace(KNOWN, target=replace(KNOWN.target, grid="grid-a")), "grids", Level.BLOCKS),
        (replace(KNOWN, target=replace(KNOWN.target, applications=("shop",))), "name", Level.BLOCKS),
        (target(published=(("", 8080, "tcp", "a process of the host"),)), "ports", Level.BLOCKS),
        (target(free_bytes=1 << 30), "disk", Level.BLOCKS),
        (target(architecture="arm64"), "architecture", Level.BLOCKS),
        (target(api_version="1.41"), "engine", Level.WARNS),
        (target(compose_version="2.5.0"), "compose", Level.WARNS),
        (replace(KNOWN, skew=-600.0), "clock", Level.WARNS),
        (replace(KNOWN, skew=600.0), "clock", Level.WARNS),
        (replace(KNOWN, unreached="timed out"), "reachability", Level.WARNS),
        (replace(KNOWN, application=replace(APPLICATION, containers=())), "state", Level.WARNS),
    ],
)
def test_each_check_finds_what_it_is_for(known: Known, check: str, level: Level) -> None:
    assert (check, level) in {(found.check, found.level) for found in preflight(known)}


@pytest.mark.parametrize(
    "published",
    [
        ("", 8081, "tcp", "somebody"),
        ("", 8080, "udp", "somebody"),
        ("", 8080, "tcp", "container mig_forward_shop"),
    ],
)
def test_ports_that_are_free(published: tuple[str, int, str, str]) -> None:
    assert preflight(target(published=(published,))) == ()


def test_a_port_at_another_address_is_free() -> None:
    bound = replace(APPLICATION, containers=(replace(WEB, ports=(replace(PORT, host_address="127.0.0.1"),)),))
    taken = target(published=(("192.0.2.2", 8080, "tcp", "somebody"),))
    assert preflight(replace(taken, application=bound)) == ()


def test_a_snapshot_only_warns_of_ports() -> None:
    known = target(published=(("", 8080, "tcp", "somebody"),))
    found = preflight(replace(known, request=replace(REQUEST, action=Action.SNAPSHOT)))
    assert [finding.level for finding in found] == [Level.WARNS]


def test_the_plan_shows_every_check() -> None:
    basis = plan.Basis({}, Survey(100, 1 << 30, 0), 100e6, ())
    blocked = Finding("ports", Level.BLOCKS, "Taken.", "Free it.")
    made = plan.make(REQUEST, APPLICATION, [blocked], basis)
    assert made.blocked
    assert {found.check for found in made.findings} == set(CHECKS)
    text = made.text()
    assert all(check in text for check in CHECKS)
    assert "Taken. Free it." in text
    assert "1.0 GiB" in text
    assert 20 < made.total_seconds < 40


def test_the_bandwidth_limit_is_in_the_plan() -> None:
    basis = plan.Basis({}, Survey(100, 1 << 30, 0), 100e6, ())
    limited = plan.make(replace(REQUEST, bandwidth_limit=1 << 20), APPLICATION, [], basis)
    assert limited.total_seconds > 1000
