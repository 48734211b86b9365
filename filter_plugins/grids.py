# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``grid_places``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from migrid.provision.grids import place


def _grid_places(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each of ``hosts`` is called as a grid, and where the others reach it, by its name in the inventory."""
    return {host: asdict(place(host, hostvars[host])) for host in hosts}


class FilterModule:
    """Filters about the grids of an inventory."""

    def filters(self) -> dict[str, Callable[..., dict[str, dict[str, Any]]]]:
        return {"grid_places": _grid_places}
