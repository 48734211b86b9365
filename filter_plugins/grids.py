# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about the grids of an inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleFilterError

from migrid.grid.errors import GridError
from migrid.provision.grids import app_config, appliances, keyless_owners, place, with_assembly


def _grid_places(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each of ``hosts`` is called as a grid, and where the others reach it, by its name in the inventory."""
    return {host: asdict(place(host, hostvars[host])) for host in hosts}


def _grid_properties(given: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """The properties that applications get on a grid, all as text."""
    try:
        return app_config(given)
    except GridError as error:
        raise AnsibleFilterError(f"grid_app_config: {error}") from error


def _grid_owner_keys(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], state: str
) -> dict[str, dict[str, str]]:
    """Where each of ``hosts`` keeps the keys that are made for owners of its applications, below its state."""
    return {host: {app: f"{state}/owners/{app}/id_ed25519" for app in keyless_owners(hostvars[host])} for host in hosts}


def _grid_owners(given: Sequence[Mapping[str, Any]], grids: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The owners that are given, and those for whom grids with these variables made keys."""
    made = (grid.get("ansible_facts", {}).get("grid_keys", {}).get("owners", {}) for grid in grids)
    keys = {name: key for each in made for name, key in each.items() if key}
    return [*given, *({"name": name, "applications": [name], "public_key": keys[name]} for name in sorted(keys))]


class FilterModule:
    """Filters about the grids of an inventory."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "grid_appliances": appliances,
            "grid_owner_keys": _grid_owner_keys,
            "grid_owners": _grid_owners,
            "grid_places": _grid_places,
            "grid_properties": _grid_properties,
            "grid_with_assembly": with_assembly,
        }
