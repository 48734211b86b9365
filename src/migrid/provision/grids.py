"""The grids of an inventory: what each is called, where the others reach it, and what can be wrong with that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..grid import names
from ..grid.applications import declared
from ..grid.compose import properties
from ..grid.errors import GridError

ACCOUNT = "mig-grid"
SSH_PORT = 22
_PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,3}( [^\n\r]*)?", re.ASCII)

Found = Iterator[tuple[str, str]]
"""Problems, each as the variable and what to do about it."""


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


def app_config(given: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """`grid_app_config` as the grid's configuration has it. Raises GridError, which shows no value."""
    return {names.application(app): properties.checked(wanted) for app, wanted in given.items()}


def appliances(variables: Mapping[str, Any]) -> list[str]:
    """The applications that begin on a grid with these variables and get the MIG assembly."""
    begin = {entry.get("name") for entry in variables.get("grid_applications") or [] if isinstance(entry, Mapping)}
    return [app for app in variables.get("migctl_appliance_applications") or [] if app in begin]


def keyless_owners(variables: Mapping[str, Any]) -> list[str]:
    """The owners of these applications who gave no key of their own, and get one. Each is called as the application."""
    given = {app for owner in variables.get("grid_owners") or [] for app in owner.get("applications") or []}
    return [app for app in appliances(variables) if app not in given]


def with_assembly(entries: Sequence[Any], wanted: Sequence[str]) -> list[Any]:
    """The entries of `grid_applications`, of which those whose names are wanted ask for the MIG assembly."""
    return [{**entry, "assembly": True} if entry.get("name") in wanted else entry for entry in entries]


def appliance_problems(host: str, grids: Mapping[str, Mapping[str, Any]]) -> Found:
    """What is wrong with the applications that get the MIG assembly on `host`, among the variables of all grids."""
    begin = {grid: set(appliances(variables)) for grid, variables in grids.items()}
    everywhere = set().union(*begin.values())
    for app in grids[host].get("migctl_appliance_applications") or []:
        if app not in everywhere:
            yield "migctl_appliance_applications", f"{app!r} is in no grid's grid_applications; declare it there"
    for app in sorted(begin[host]):
        others = [grid for grid, names in begin.items() if grid != host and app in names]
        if others:
            yield (
                "migctl_appliance_applications",
                f"{app!r} begins on {others[0]} too; to go from grid to grid it needs a name of its own",
            )


def place_problems(host: str, places: Mapping[str, Place]) -> Found:
    """What is wrong with the place of `host` among those of all grids, by host."""
    here = places[host]
    others = {other: place for other, place in places.items() if other != host}
    try:
        names.grid(here.name)
    except GridError as error:
        yield "grid_name", str(error).rstrip(".")
    for other, there in others.items():
        if there.name == here.name:
            yield "grid_name", f"{here.name!r} is the name of {other} too; give each grid its own"
        if (there.address, there.ssh_port) == (here.address, here.ssh_port):
            yield (
                "grid_address",
                f"{here.address!r} with port {here.ssh_port} is where {other} is too; give each grid its own",
            )


def variable_problems(values: Mapping[str, Any]) -> Found:
    """What is wrong with the variables of one grid. No value of a property is shown."""
    yield from _applications(values)
    yield from _app_config(values)
    yield from _owners(values.get("grid_owners", []))
    yield from _repository(values)


def _applications(values: Mapping[str, Any]) -> Found:
    entries = [_without_remote_src(entry) for entry in values.get("grid_applications", [])]
    try:
        declared.parse(entries, "grid_applications")
    except GridError as error:
        for line in str(error).splitlines():
            yield "grid_applications", line.removeprefix("grid_applications").removeprefix(": ")


def _without_remote_src(entry: Any) -> Any:
    return {key: value for key, value in entry.items() if key != "remote_src"} if isinstance(entry, Mapping) else entry


def _app_config(values: Mapping[str, Any]) -> Found:
    for app, wanted in values.get("grid_app_config", {}).items():
        if not isinstance(wanted, Mapping):
            yield "grid_app_config", f"{app}: is not a mapping of names to values"
            continue
        try:
            app_config({app: wanted})
        except GridError as error:
            yield "grid_app_config", f"{app}: {error}"


def _owners(owners: Sequence[Mapping[str, Any]]) -> Found:
    names_of, keys, applications = Counter[str](), Counter[str](), Counter[str]()
    for owner in owners:
        for problem in _owner(owner):
            yield "grid_owners", f"{owner.get('name')}: {problem}"
        names_of[str(owner.get("name"))] += 1
        keys[" ".join(str(owner.get("public_key")).split()[:2])] += 1
        applications.update(map(str, owner.get("applications") or []))
    for what, counted in (("the name", names_of), ("the public_key", keys), ("the application", applications)):
        for value, number in counted.items():
            if number > 1:
                yield "grid_owners", f"{what} {value} is there {number} times; it can be one owner's only"


def _owner(owner: Mapping[str, Any]) -> Iterator[str]:
    try:
        names.owner(str(owner.get("name")))
        for app in owner.get("applications") or []:
            names.application(str(app))
        properties.checked(dict.fromkeys(map(str, owner.get("properties") or []), ""))
    except GridError as error:
        yield str(error).rstrip(".")
    if not _PUBLIC_KEY.fullmatch(str(owner.get("public_key")).strip()):
        yield "its public_key is not one line as ssh-keygen writes it, such as: ssh-ed25519 AAAA…"


def _repository(values: Mapping[str, Any]) -> Found:
    if values.get("grid_engine_packages") == "docker":
        for name in ("grid_docker_repository_url", "grid_docker_repository_key"):
            if not values.get(name):
                yield name, "is missing though grid_engine_packages is docker"
