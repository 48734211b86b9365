"""The grids of an inventory: what each is called, and where the others and their clients reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACCOUNT = "mig-grid"
SSH_PORT = 22


@dataclass(frozen=True)
class Place:
    """A grid as its peers know it. They log in as `account` at `address`, port `ssh_port`."""

    name: str
    address: str
    ssh_port: int
    account: str = ACCOUNT


def place(host: str, variables: Mapping[str, Any]) -> Place:
    """The grid that the inventory's `host` with these variables is.

    Where it has no variable of its own, a grid is where Ansible reaches the host.

    Raises:
        ValueError: the port is not a number.
    """
    return Place(
        name=str(variables.get("grid_name") or host),
        address=str(_first(variables, ("grid_address", "system_container_address", "ansible_host"), host)),
        ssh_port=int(_first(variables, ("grid_ssh_port", "ansible_port"), SSH_PORT)),
    )


def _first(variables: Mapping[str, Any], names: tuple[str, ...], default: Any) -> Any:
    """The value of the first of the variables that has one."""
    return next((variables[name] for name in names if variables.get(name)), default)
