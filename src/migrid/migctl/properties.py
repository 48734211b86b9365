"""The properties of the service MIGCTL: environment variables of its container, and the shell file made of them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .. import files
from ..grid.sides import Action
from .errors import PropertiesError


class Mode(enum.Enum):
    """Which actions there are."""

    MIGRATE = "migrate"
    SNAPSHOT = "snapshot"
    BOTH = "both"

    def allows(self, action: Action) -> bool:
        return self is Mode.BOTH or self.value == action.value


@dataclass(frozen=True)
class Properties:
    """The properties. Without a `username` nobody logs in, and who comes may only look unless `allow_anonymous`. The
    files are names on the config volume. With `proxy_protocol` connections begin with who the client is."""

    username: str = ""
    password: str = field(default="", repr=False)
    mode: Mode = Mode.BOTH
    port_no: int = 8080
    private_key_file: str = "private_key"
    grid_info_file: str = "grid_info"
    allow_anonymous: bool = False
    proxy_protocol: bool = False

    @property
    def asks_for_login(self) -> bool:
        return bool(self.username)

    @property
    def may_act(self) -> bool:
        """Whether visitors of the page may do more than look, once they are in."""
        return self.asks_for_login or self.allow_anonymous


def read(environment: Mapping[str, str]) -> Properties:
    """The properties in an environment; empty ones have their default. Raises PropertiesError with a line for each
    wrong one, which does not show the password."""
    found: dict[str, Any] = {}
    problems = []
    for name, (accept, accepted) in _PROPERTIES.items():
        if value := environment.get(name, ""):
            try:
                found[name] = accept(value)
            except ValueError:
                shown = "" if name == "password" else f" {value!r}"
                problems.append(f"{name}{shown} is not accepted; give {accepted}.")
    if bool(found.get("username")) != bool(found.get("password")):
        problems.append("username and password belong together; give both, or neither for a page without login.")
    if problems:
        raise PropertiesError("\n".join(problems))
    return Properties(**found)


def rendered(properties: Properties) -> str:
    """The properties as a shell reads them: lines of NAME='value'."""
    return "".join(f"{item.name}={_quoted(getattr(properties, item.name))}\n" for item in fields(properties))


def write(path: Path, properties: Properties) -> None:
    """Replace the shell file; only its owner can read it. Raises OSError."""
    files.replace(path, rendered(properties).encode(errors="surrogateescape"), 0o600)


def _quoted(value: object) -> str:
    text = str(value.value) if isinstance(value, enum.Enum) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return "'" + text.replace("'", "'\\''") + "'"


def _port(value: str) -> int:
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 1 << 16):
        raise ValueError
    return int(value)


def _yes(value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError
    return value == "true"


def _file(value: str) -> str:
    if "/" in value or value in (".", "..", "3tera") or not value.isprintable():
        raise ValueError
    return value


_NAME = "the name of a file on the config volume, without a directory"
_PROPERTIES: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "username": (str, "a name to log in with"),
    "password": (str, "the password to log in with"),
    "mode": (Mode, "migrate, snapshot or both"),
    "port_no": (_port, "a port from 1 to 65535"),
    "private_key_file": (_file, _NAME),
    "grid_info_file": (_file, _NAME),
    "allow_anonymous": (_yes, "true or false"),
    "proxy_protocol": (_yes, "true or false"),
}
