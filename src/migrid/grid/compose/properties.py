"""Properties: the variables of an application's Compose file, and the environment file in which Compose reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ... import files
from ..errors import DefinitionError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LINE = re.compile(r'^([A-Za-z0-9_]+)="((?:[^"\\]|\\.)*)"$', re.MULTILINE | re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def checked(properties: Mapping[str, object]) -> dict[str, str]:
    """The properties as Compose takes them. Raises DefinitionError, which shows no value: it may be a secret."""
    return {_name(name): _text(name, value) for name, value in properties.items()}


def effective(own: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """The application's own properties, overridden by those that it gets on this grid."""
    return {**own, **here}


def here(of_owner: Mapping[str, str], of_grid: Mapping[str, str]) -> dict[str, str]:
    """The properties that an application gets on one grid: the grid has the last say."""
    return {**of_owner, **of_grid}


def environment(properties: Mapping[str, str]) -> str:
    """The content of an environment file from which Compose reads exactly these values."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(properties.items()))


def write(path: Path, properties: Mapping[str, str]) -> None:
    """Replace the environment file; only its owner can read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(path, environment(properties).encode(), 0o600)


def read(path: Path) -> dict[str, str]:
    """What `write` wrote."""
    return {match[1]: _ESCAPED.sub(r"\1", match[2]) for match in _LINE.finditer(path.read_text(encoding="utf-8"))}


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"{name!r} cannot name a property: letters of A-Z and a-z, digits and '_', no digit first."
        )
    return name


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise DefinitionError(f"The property {name} is a {type(value).__name__}; give text or a number.")
    if "\0" in str(value):
        raise DefinitionError(f"The property {name} contains a zero byte.")
    return str(value)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
