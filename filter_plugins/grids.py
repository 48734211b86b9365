# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters ``grid_places`` and ``grid_properties``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError

from migrid.grid.errors import GridError
from migrid.provision.grids import app_config, place


def _grid_places(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each of ``hosts`` is called as a grid, and where the others reach it, by its name in the inventory."""
    return {host: asdict(place(host, hostvars[host])) for host in hosts}


def _grid_properties(given: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """The properties that applications get on a grid, all as text."""
    try:
        return app_config(given)
    except GridError as error:
        raise AnsibleFilterError(f"grid_app_config: {error}") from error


class FilterModule:
    """Filters about the grids of an inventory."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"grid_places": _grid_places, "grid_properties": _grid_properties}
