"""Two grids, the shop on one of them under a load that never ends, and the promise that is checked after each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .grids import Grid, read_inventory
from .moves import Operator
from .shop import OTHER_PORT, PORT, Shop, load, start_by_hand
from .waiting import until
from .witness import Witness

APP = "shop"
FORWARD = f"mig_forward_{APP}"
VOLUMES = ("database", "files", "spool")


@dataclass(frozen=True)
class Place:
    """Where the shop is, and where it is not."""

    here: Shop
    there: Grid


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("ansible_inventory"))


@pytest.fixture(scope="session")
def grids(inventory: Path) -> tuple[Grid, Grid]:
    first, second = read_inventory(inventory)
    return first, second


@pytest.fixture(scope="session")
def operator(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(inventory, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def witness(grids: tuple[Grid, Grid]) -> Iterator[Witness]:
    identify = ["docker", "inspect", "--format", "{{.Id}}"]
    ids = {
        grid.name: subprocess.run([*identify, grid.name], capture_output=True, text=True, check=True).stdout.strip()
        for grid in grids
    }
    with Witness(ids) as running:
        yield running


@pytest.fixture(scope="session")
def started_shop(grids: tuple[Grid, Grid]) -> None:
    """The shop somewhere; one that was started by hand, unless an earlier run of the tests left one."""
    if not any(runs(grid) for grid in grids):
        start_by_hand(grids[0])


@pytest.fixture(scope="session")
def writing(
    grids: tuple[Grid, Grid], started_shop: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[load.Load]:
    """Writes to all addresses at which the shop may be, from the first test to the last."""
    addresses = [f"http://{grid.address}:{port}" for grid in grids for port in (PORT, OTHER_PORT)]
    with load.Load(addresses, rate=10, journal=tmp_path_factory.mktemp("load") / "answers.jsonl") as running:
        yield running


def runs(grid: Grid, app: str = APP) -> bool:
    return any(name.startswith(f"{app}-") for name in grid.seen().running)


def find(grids: tuple[Grid, Grid]) -> Place:
    """Where the shop runs. It must be in one place."""
    places = [Place(Shop(one), other) for one, other in (grids, grids[::-1]) if runs(one)]
    assert len(places) == 1, f"the shop runs on {[place.here.grid.name for place in places]}"
    return places[0]


@pytest.fixture
def place(grids: tuple[Grid, Grid], started_shop: None, writing: load.Load, witness: Witness) -> Place:
    found = find(grids)
    found.here.wait()
    return found


@pytest.fixture(autouse=True)
def promise(grids: tuple[Grid, Grid], place: Place, writing: load.Load, witness: Witness) -> Iterator[None]:
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
    """All that moves left on the two grids and that neither runs the shop nor tells where it went."""
    here, there = place.here.grid.seen(), place.there.seen()
    named = {f"{APP}_{name}" for name in VOLUMES}
    found = [
        *(f"container {name}" for name in here.containers - {f"{APP}-db-1", f"{APP}-web-1"}),
        *(f"container {name} there" for name in there.containers - {FORWARD}),
        *(f"volume {name} there" for name in there.volumes),
        *(f"network {name}" for name in here.networks - {f"{APP}_default", f"{APP}_backend"}),
        *(f"network {name} there" for name in there.networks),
        *(f"missing volume {name}" for name in named - here.volumes),
        *(f"a volume too many of {sorted(here.volumes)}" for _ in range(len(here.volumes) - len(named) - 1)),
    ]
    for seen in (here, there):
        found += [f"state {path}" for path in seen.state if Path(path).name == "lock.json" or "exclusive/" in path]
        found += [f"run {path}" for path in seen.run]
    return found
