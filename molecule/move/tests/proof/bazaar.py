"""The bazaar: another shop, which the inventory declares with the MIG assembly. Users come in through PS8."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .grids import PROJECT, Grid
from .moves import Operator
from .shop import EXAMPLE, Shop, bring_base_image
from .waiting import until

APP = "bazaar"
PLAYBOOK = "playbooks/applications.yml"


@dataclass(frozen=True)
class Bazaar:
    """The bazaar on a grid."""

    grid: Grid
    app: str = APP

    @property
    def shop(self) -> Shop:
        """As users meet it. The grid gives its port in grid_app_config."""
        port = 8098 if self.app != APP else 8096 if self.grid.name.endswith("-b") else 8095
        return Shop(self.grid, self.app, port)

    def migctl(self, *arguments: str) -> str:
        """What the command in MIGCTL's container prints."""
        return self.grid.run(f"docker exec {self.shop.container('migctl')} migctl {' '.join(arguments)}")

    def lock(self) -> str | None:
        """The lock file on its config volume."""
        found = self.grid.run(f"docker exec {self.shop.container('migctl')} sh -c 'cat /mnt/config/3tera/lock || true'")
        return found or None

    def started(self) -> str:
        """What is another one when a container of it was started anew."""
        ids = f"docker ps --all --quiet --filter label=com.docker.compose.project={self.app} | sort"
        return self.grid.run(f"docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}}' $({ids})")


def provision(operator: Operator, grid: Grid) -> None:
    """Let the playbook make it, which changes nothing the second time."""
    subprocess.run([EXAMPLE / "prepare"], cwd=PROJECT, check=True)
    bring_base_image(grid)
    for changed in (True, False):
        done = operator.start(PLAYBOOK, "--limit", grid.name).end()
        done.succeeded()
        assert ("changed=0 " not in done.output) == changed, done.output
    Bazaar(grid).shop.wait()
    Bazaar(grid).shop.exec("web", "fill")


def is_on(grid: Grid, app: str = APP) -> bool:
    return any(name.startswith(f"{app}-") for name in grid.seen().running)


def find(grids: Sequence[Grid]) -> Bazaar:
    """Where it runs. It must be in one place."""
    with ThreadPoolExecutor() as pool:
        running = [grid for grid, there in zip(grids, pool.map(is_on, grids), strict=True) if there]
    assert len(running) == 1, f"the bazaar runs on {[grid.name for grid in running]}"
    return Bazaar(running[0])


def left_of_moves(grids: Sequence[Grid]) -> list[str]:
    """What is there only while a move is under way."""
    with ThreadPoolExecutor() as pool:
        every = zip(grids, pool.map(Grid.seen, grids), strict=True)
    return [
        f"{thing} on {grid.name}"
        for grid, seen in every
        for thing in (
            *(name for name in seen.containers if name.startswith("Mig")),
            *(path for path in seen.state if path.endswith("/lock.json")),
            *seen.run,
        )
    ]


def wait_until_settled(grids: Sequence[Grid]) -> Bazaar:
    """Where it is, once MIGCTL has finished what a move left."""
    until(lambda: left_of_moves(grids) == [], "nothing is left of moves", 100, pause=1.0)
    found = find(grids)
    until(lambda: found.lock() is None, "the lock file is gone", 60)
    return found
