"""The bazaar: the shop with the MIG assembly, under a load that comes in through PS8, and its owner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
pytest.register_assert_rewrite("proof")

from proof import grids as proof_grids  # noqa: E402
from proof.bazaar import APP, Bazaar, find, is_on, provision, wait_until_settled  # noqa: E402
from proof.grids import Grid  # noqa: E402
from proof.moves import Operator  # noqa: E402
from proof.owner import Owner  # noqa: E402
from proof.shop import load  # noqa: E402

PATIENCE = 60_000
"""Milliseconds, as all times of Playwright: also for a machine that has other work."""
expect.set_options(timeout=PATIENCE)

NewOwner = Callable[..., Owner]


@pytest.fixture(scope="session")
def inventory(pytestconfig: pytest.Config) -> Path:
    return Path(pytestconfig.getoption("ansible_inventory"))


@pytest.fixture(scope="session")
def grids(inventory: Path) -> tuple[Grid, ...]:
    return tuple(proof_grids.read_inventory(inventory))


@pytest.fixture(scope="session")
def bazaar(inventory: Path, grids: tuple[Grid, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """It is where the inventory lets it begin, unless an earlier run of the tests left it somewhere."""
    if not any(map(is_on, grids)):
        provision(Operator(inventory, tmp_path_factory.mktemp("runs")), grids[0])
    yield
    for grid in grids:
        grid.run(f"mig-grid unforward {APP}; mig-grid info {APP} || exit 0; mig-grid destroy --yes {APP}")


@pytest.fixture(scope="session")
def traffic(grids: tuple[Grid, ...], bazaar: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[load.Load]:
    """Writes through PS8, on every grid where it may be."""
    addresses = [Bazaar(grid).shop.address for grid in grids]
    with load.Load(addresses, rate=8, journal=tmp_path_factory.mktemp("load") / "answers.jsonl") as running:
        yield running


@pytest.fixture
def here(grids: tuple[Grid, ...], traffic: load.Load) -> Bazaar:
    found = find(grids)
    found.shop.wait()
    return found


@pytest.fixture(autouse=True)
def promise(grids: tuple[Grid, ...], here: Bazaar, traffic: load.Load) -> Iterator[None]:
    """After each test: it runs in one place, no acknowledged write is lost, and no move left anything."""
    yield
    now = wait_until_settled(grids)
    now.shop.wait()
    assert load.judge(list(traffic.answers), now.shop.writes()).complaints == ()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_owner(chromium: Browser) -> Iterator[NewOwner]:
    """Browsers in which somebody trusts the certificate that MIGCTL made."""
    contexts = []

    def make(**options: Any) -> Owner:
        context = chromium.new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return Owner(context.new_page())

    yield make
    for context in contexts:
        context.close()
