#!/usr/bin/env python3
"""How long the shop is away in a move, as its clients see it, against stopping and starting it without any move.

The limit is `docker compose stop` and `start` of the same application, on the same grid and under the same load; no
move can be away for less. A load client that asks both grids counts from the first refused to the first accepted
request. Both are measured in each run, for the shop as it is and with a large file more, because the downtime must
follow what changes and not what there is. The second figure is what the plan predicted, against what the report says.

    .venv/bin/python bench/downtime.py [-i INVENTORY] [--runs 3] [--mib 1024]

Needs two grids: `ansible-playbook playbooks/grids.yml` makes those of the default inventory. The shop is started on the
first one if it runs on neither, and left where the last run brings it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "molecule" / "move" / "tests"))

from proof.grids import Grid, read_inventory  # noqa: E402
from proof.moves import Operator  # noqa: E402
from proof.shop import PORT, Shop, load, start_by_hand  # noqa: E402
from proof.waiting import until  # noqa: E402

RATE = 50.0
GOAL_RATIO = 3.0
GOAL_PREDICTION = 0.25
APP = "shop"


@dataclass(frozen=True)
class Measured:
    """Seconds: of a stop and start, of a move as clients see it, and of the same move as predicted and as reported."""

    restart: float
    move: float
    predicted: float
    reported: float

    @property
    def ratio(self) -> float:
        return self.move / self.restart

    @property
    def error(self) -> float:
        return self.predicted / self.reported - 1


@dataclass
class Bench:
    """The shop between two grids."""

    grids: list[Grid]
    operator: Operator

    def shop(self) -> Shop:
        """The shop where it runs now; started on the first grid if it runs on none."""
        for grid in self.grids:
            if any(name.startswith(f"{APP}-") for name in grid.seen().running):
                return Shop(grid)
        return start_by_hand(self.grids[0])

    def away(self, act: Callable[[], None]) -> float:
        """Seconds for which nobody served while something was done."""
        with load.Load([f"http://{grid.address}:{PORT}" for grid in self.grids], RATE) as running:
            served(running)
            began = time.time()
            act()
            served(running)
        verdict = load.judge(running.answers, self.shop().writes())
        if verdict.complaints:
            sys.exit("\n".join(verdict.complaints[:10]))
        return max(outage.seconds or 0.0 for outage in verdict.outages if outage.since > began)

    def measure(self) -> Measured:
        here = self.shop().grid
        there = next(grid for grid in self.grids if grid != here)
        reports = []
        restart = self.away(lambda: none(here.run(f"docker compose -p {APP} stop && docker compose -p {APP} start")))
        move = self.away(
            lambda: reports.append(
                self.operator.move(app=APP, source_grid=here.name, target_grid=there.name).succeeded()
            )
        )
        return Measured(restart, move, reports[0]["predicted_downtime_seconds"], reports[0]["downtime_seconds"])


def none(_: object) -> None:
    """So that a function that returns something can be an act."""


def served(running: load.Load) -> None:
    """Wait until writes that are sent from now on are acknowledged."""
    now = time.time()
    until(lambda: sum(answer.acknowledged and answer.sent > now for answer in running.answers) > RATE / 5, "service")


def grow(shop: Shop, mib: int) -> None:
    """A file of random bytes in a volume of the shop, which nothing changes."""
    shop.exec("web", f"dd if=/dev/urandom of=/srv/files/large bs=1M count={mib} conv=fsync status=none")


def print_row(title: str, measured: list[Measured]) -> None:
    def median(name: str) -> float:
        return statistics.median(getattr(one, name) for one in measured)

    print(
        f"{title:16} stop and start {median('restart'):5.2f} s   move {median('move'):5.2f} s   "
        f"ratio {median('ratio'):4.2f} (goal < {GOAL_RATIO})   predicted {median('predicted'):5.2f} s   "
        f"reported {median('reported'):5.2f} s   error {median('error'):+.0%} (goal within {GOAL_PREDICTION:.0%})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-i", "--inventory", type=Path, default=PROJECT / "inventories" / "embedded")
    parser.add_argument("--runs", type=int, default=3, help="moves to measure for each row (3)")
    parser.add_argument("--mib", type=int, default=1024, help="size of the large file in MiB (1024)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(read_inventory(options.inventory), Operator(options.inventory, Path(scratch)))
        bench.measure()
        print_row("the shop", [bench.measure() for _ in range(options.runs)])
        grow(bench.shop(), options.mib)
        print_row(f"and {options.mib} MiB more", [bench.measure() for _ in range(options.runs)])
        bench.shop().exec("web", "rm /srv/files/large")


if __name__ == "__main__":
    main()
