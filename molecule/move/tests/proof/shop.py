"""The shop on a grid, started by hand with Compose as its operators would."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from .grids import PROJECT, Grid
from .waiting import until

EXAMPLE = PROJECT / "examples" / "applications" / "shop"
BY_HAND = "/srv/shop"
BASE = "migrid/debian:13"
PORT = 8081
OTHER_PORT = 8090
SUBNET, OTHER_SUBNET = "172.28.79", "172.28.80"

sys.path.insert(0, str(EXAMPLE))
import load  # noqa: E402


@dataclass(frozen=True)
class Shop:
    """The shop under the name that it has on a grid."""

    grid: Grid
    app: str = "shop"
    port: int = PORT

    @property
    def address(self) -> str:
        return f"http://{self.grid.address}:{self.port}"

    def container(self, service: str) -> str:
        label = f"--filter label=com.docker.compose.project={self.app} --filter label=com.docker.compose.service="
        return self.grid.run(f"docker ps --all --quiet {label}{service}").strip()

    def exec(self, service: str, command: str) -> str:
        return self.grid.run(f"docker exec --user root {self.container(service)} {command}")

    def healthy(self) -> bool:
        try:
            return bool(load.ask(self.address, "GET", "/health", timeout=2)[0] == 200)
        except (OSError, ValueError):
            return False

    def wait(self) -> None:
        until(self.healthy, f"{self.address} is healthy", 60)

    def writes(self) -> load.Writes:
        return load.fetch(self.address)

    def every_kind_of_file(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.exec("web", "manifest /srv/files/every-kind").splitlines()]

    def markers(self) -> dict[str, str]:
        """What the hook left in each volume and in the bind-mounted directory just before the last stop."""
        places = {
            "database": ("db", "/var/lib/postgresql"),
            "backup": ("db", "/var/backups/shop"),
            "files": ("web", "/srv/files"),
            "cache": ("web", "/srv/cache"),
        }
        return {name: self.exec(service, f"cat {path}/marker").strip() for name, (service, path) in places.items()}

    def hooks(self) -> list[dict[str, str]]:
        """What moves told the shop, oldest first."""
        return [json.loads(line) for line in self.exec("web", "cat /srv/files/hooks.jsonl").splitlines()]


def bring_base_image(grid: Grid) -> None:
    """Debian's image from this machine's engine: a grid needs no registry."""
    if grid.result(f"docker image inspect {BASE}").returncode:
        saved = subprocess.run(["docker", "save", BASE], capture_output=True, check=True).stdout
        grid.run("docker load", saved)


def start_by_hand(grid: Grid) -> Shop:
    """Put the example on the grid, and start it with Compose."""
    bring_base_image(grid)
    packed = subprocess.run(
        ["tar", "-C", EXAMPLE, "--exclude=secrets", "--exclude=backup", "--exclude=__pycache__", "-c", "."],
        capture_output=True,
        check=True,
    ).stdout
    grid.run(f"mkdir -p {BY_HAND} && tar -C {BY_HAND} --no-same-owner -x", packed)
    properties = {"SHOP_BASE": BASE, "SHOP_PORT": PORT, "SHOP_GRID": grid.name, "SHOP_PATIENCE": 20}
    changes = " ".join(f"-e 's|^{name}=.*|{name}={value}|'" for name, value in properties.items())
    grid.run(f"cd {BY_HAND} && sed -i {changes} .env && ./prepare && docker compose up --build --detach --wait")
    shop = Shop(grid)
    shop.exec("web", "fill")
    return shop
