"""The file grid_info: the grids that an application can be on, as YAML, one entry for each by its name.

    grid-a:
      controller: 192.0.2.11
      host_key: ssh-ed25519 AAAA…
    grid-b:
      controller: b.example.org:2222
      host_key: ssh-ed25519 AAAA…
      user: mig-grid
      monitor: monitors.b.example.org
      app_config: {SHOP_PORT: 8090}

All values are text, whatever YAML takes them for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..grid import names
from ..grid.compose import properties
from ..grid.errors import GridError
from .errors import GridInfoError

SSH_PORT = 22
MOST_BYTES = 1 << 20

_HOST = r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})))"
_ADDRESS = re.compile(rf"{_HOST}(?::([0-9]{{1,5}}))?", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_HOST_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/]{40,}={0,3}", re.ASCII)
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Address:
    """Where something listens; `port` is 0 if it was not given."""

    host: str
    port: int = 0


@dataclass(frozen=True)
class GridEntry:
    """One grid. `controller` is its SSH service. `monitor` is where the monitors of moves to it are reached, empty for
    the grid's own address. `app_config` are properties that the application gets on this grid."""

    name: str
    controller: Address
    host_key: str
    user: str = "mig-grid"
    monitor: str = ""
    app_config: Mapping[str, str] = field(default_factory=dict, repr=False)


GridInfo = Mapping[str, GridEntry]


def read(path: Path) -> GridInfo:
    """The grids of a file, by name. Raises GridInfoError."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise GridInfoError(
            f"{path} cannot be read: {error.strerror}. It lists the grids; see docs/migctl.md."
        ) from error
    if len(content) > MOST_BYTES:
        raise GridInfoError(f"{path} has more than {MOST_BYTES >> 20} MiB.")
    return parse(content, str(path))


def parse(content: bytes, origin: str) -> GridInfo:
    """The grids, by name. Raises GridInfoError with a line for everything that is wrong: where it is, and what is
    accepted. No value of a property is shown."""
    problems: list[str] = []
    entries: dict[str, GridEntry] = {}
    for key, node in _pairs(_root(content, origin), origin, problems, "a mapping of names of grids to their entries"):
        entry = _entry(key, node, origin, problems)
        if entry:
            entries[entry.name] = entry
    problems += _shared(entries.values(), origin)
    if not entries and not problems:
        problems.append(f"{origin} names no grid; give at least the one where the application is and one to move to.")
    if problems:
        raise GridInfoError("\n".join(problems))
    return entries


def _root(content: bytes, origin: str) -> Any:
    try:
        return yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise GridInfoError(f"{origin}{line}: this is not YAML: {error.problem or error.context}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise GridInfoError(f"{origin}: this is not YAML in UTF-8: {' '.join(str(error).split())}.") from error


def _pairs(node: Any, where: str, problems: list[str], accepted: str) -> Iterator[tuple[Any, Any]]:
    """The keys and values of a mapping; an empty one if there is nothing."""
    if node is None or node.tag == _NULL:
        return
    if not isinstance(node, yaml.MappingNode):
        problems.append(f"{where}: this is not {accepted}.")
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            problems.append(f"{where}, line {_line(key)}: a name is text.")
        elif key.value in seen:
            problems.append(f"{where}, line {_line(key)}: {key.value} is there already, in line {seen[key.value]}.")
        else:
            seen[key.value] = _line(key)
            yield key, value


def _entry(key: Any, node: Any, origin: str, problems: list[str]) -> GridEntry | None:
    where, before = f"{origin}, line {_line(key)}, {key.value}", len(problems)
    found: dict[str, Any] = {}
    try:
        found["name"] = names.grid(key.value)
    except GridError as error:
        problems.append(f"{where}: {error}")
    for name, value in _pairs(node, where, problems, f"a mapping with {', '.join(_FIELDS)}"):
        place = f"{origin}, line {_line(name)}, {key.value}, {name.value}"
        if name.value not in _FIELDS:
            problems.append(f"{place}: there is no such field; there are {', '.join(_FIELDS)}.")
        elif name.value == "app_config":
            found["app_config"] = _app_config(value, place, problems)
        else:
            _take(name.value, value, found, place, problems)
    problems += [f"{where}: {name} is missing; give {_FIELDS[name]}." for name in _missing(node)]
    return GridEntry(**found) if len(problems) == before else None


def _take(name: str, node: Any, found: dict[str, Any], place: str, problems: list[str]) -> None:
    text = node.value.strip() if isinstance(node, yaml.ScalarNode) else ""
    try:
        found[name] = _READ[name](text)
    except ValueError:
        problems.append(f"{place}: {text!r} is not accepted; give {_FIELDS[name]}.")


def _app_config(node: Any, place: str, problems: list[str]) -> dict[str, str]:
    pairs = list(_pairs(node, place, problems, "a mapping of properties to values"))
    given: dict[str, object] = {name.value: getattr(value, "value", None) for name, value in pairs}
    try:
        return properties.checked(given)
    except GridError as error:
        problems.append(f"{place}: {error}")
        return {}


def _missing(node: Any) -> list[str]:
    """The required fields that a mapping, or nothing at all, does not have."""
    if not isinstance(node, yaml.MappingNode) and node.tag != _NULL:
        return []
    given = {str(key.value) for key, _ in node.value}
    return [name for name in _REQUIRED if name not in given]


def _shared(entries: Any, origin: str) -> Iterator[str]:
    """Two names for one grid would let a move go to where it comes from."""
    seen: dict[tuple[str, int], str] = {}
    for entry in entries:
        place = (entry.controller.host.lower().rstrip("."), entry.controller.port)
        if place in seen:
            yield f"{origin}: {seen[place]} and {entry.name} have the same controller; give each grid its own."
        seen.setdefault(place, entry.name)


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    if not match or (match[3] and not 0 < int(match[3]) < 1 << 16):
        raise ValueError
    return Address(match[1] or match[2], int(match[3] or 0))


def _controller(text: str) -> Address:
    address = _address(text)
    return Address(address.host, address.port or SSH_PORT)


def _host(text: str) -> str:
    address = _address(text)
    if address.port:
        raise ValueError
    return address.host


def _matching(pattern: re.Pattern[str]) -> Any:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError
        return text

    return read


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


_FIELDS: Mapping[str, str] = {
    "controller": "the host name or address of the grid, and its SSH port if that is not 22: b.example.org:2222",
    "host_key": "a public key of its SSH service, as ssh-keyscan prints it without the name: ssh-ed25519 AAAA…",
    "user": "the account to log in with",
    "monitor": "the host name or address where monitors of moves to it are reached, without a port",
    "app_config": "a mapping of properties to values",
}
_REQUIRED = ("controller", "host_key")
_READ: Mapping[str, Any] = {
    "controller": _controller,
    "host_key": _matching(_HOST_KEY),
    "user": _matching(_USER),
    "monitor": _host,
}
