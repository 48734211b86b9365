"""Two grids, the shop on one of them under a load that never ends, and the promise that is checked after each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from .grids import Grid, Seen, read_inventory
from .moves import Operator
from .shop import OTHER_PORT, Shop, load, start_by_hand
from .waiting import until
from .witness import Witness

APP = "shop"
FORWARD = f"mig_forward_{APP}"
VOLUMES = ("database", "files", "spool")


@dataclass(frozen=True)
class Place:
    """Where the shop is, the grid that it goes to next, and the others."""

    here: Shop
    there: Grid
    others: tuple[Grid, ...] = ()


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("ansible_inventory"))


@pytest.fixture(scope="session")
def grids(inventory: Path) -> tuple[Grid, ...]:
    """At least two. Most moves are between the first two, in the order of the names."""
    return tuple(read_inventory(inventory))


@pytest.fixture(scope="session")
def operator(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(inventory, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def witness(grids: tuple[Grid, ...]) -> Iterator[Witness]:
    identify = ["docker", "inspect", "--format", "{{.Id}}"]
    ids = {
        grid.name: subprocess.run([*identify, grid.name], capture_output=True, text=True, check=True).stdout.strip()
        for grid in grids
    }
    with Witness(ids) as running:
        yield running


@pytest.fixture(scope="session")
def started_shop(grids: tuple[Grid, ...]) -> None:
    """The shop somewhere; one that was started by hand, unless an earlier run of the tests left one."""
    if not any(runs(grid) for grid in grids):
        start_by_hand(grids[0])


@pytest.fixture(scope="session")
def writing(
    grids: tuple[Grid, ...], started_shop: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[load.Load]:
    """Writes to all addresses at which the shop may be, from the first test to the last."""
    addresses = [Shop(grid).address for grid in grids] + [Shop(grid, port=OTHER_PORT).address for grid in grids[:2]]
    with load.Load(addresses, rate=8, journal=tmp_path_factory.mktemp("load") / "answers.jsonl") as running:
        yield running


def runs(grid: Grid, app: str = APP) -> bool:
    return any(name.startswith(f"{app}-") for name in grid.seen().running)


def find(grids: tuple[Grid, ...]) -> Place:
    """Where the shop runs. It must be in one place."""
    with ThreadPoolExecutor() as pool:
        running = [grid for grid, there in zip(grids, pool.map(runs, grids), strict=True) if there]
    assert len(running) == 1, f"the shop runs on {[grid.name for grid in running]}"
    there, *others = (grid for grid in grids if grid != running[0])
    return Place(Shop(running[0]), there, tuple(others))


@pytest.fixture
def place(grids: tuple[Grid, ...], started_shop: None, writing: load.Load, witness: Witness) -> Place:
    found = find(grids)
    found.here.wait()
    return found


@pytest.fixture(autouse=True)
def promise(grids: tuple[Grid, ...], place: Place, writing: load.Load, witness: Witness) -> Iterator[None]:
    """After each test: no acknowledged write is lost, no two copies ran at once, nothing is left behind."""
    yield
    now = find(grids)
    now.here.wait()
    check_writes(writing, now.here)
    assert witness.at_once() == []
    until(lambda: left_over(now) == [], f"nothing is left over: {left_over(now)}", 30)


def check_writes(writing: load.Load, shop: Shop) -> load.Verdict:
    answers = list(writing.answers)
    verdict = load.judge(answers, shop.writes())
    assert verdict.complaints == (), verdict.complaints[:10]
    return verdict


def left_over(place: Place) -> list[str]:
    """All that moves left on the grids and that neither is the shop nor sends its users on."""
    away = (place.there, *place.others)
    with ThreadPoolExecutor() as pool:
        here, *elsewhere = pool.map(Grid.seen, (place.here.grid, *away))
    volumes = {f"{APP}_{name}" for name in VOLUMES}
    found = [
        *(f"container {name}" for name in here.containers - {f"{APP}-db-1", f"{APP}-web-1"}),
        *(f"network {name}" for name in here.networks - {f"{APP}_default", f"{APP}_backend"}),
        *(f"volume {name} is missing" for name in volumes - here.volumes),
        *(f"one volume too many of {sorted(here.volumes)}" for _ in range(len(here.volumes) - len(volumes) - 1)),
        *of_moves(here),
    ]
    for grid, seen in zip(away, elsewhere, strict=True):
        things = (*(seen.containers - {FORWARD}), *seen.volumes, *seen.networks, *of_moves(seen))
        found += [f"{thing} on {grid.name}" for thing in things]
    return found


def of_moves(seen: Seen) -> list[str]:
    """What is only there while a move is under way."""
    locks = [path for path in seen.state if Path(path).name == "lock.json"]
    return [*locks, *seen.run]
