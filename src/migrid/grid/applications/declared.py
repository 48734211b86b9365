"""What an operator declares about an application: an entry of the inventory's `grid_applications`."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .. import names
from ..compose import properties
from ..errors import DefinitionError, GridError

COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that Compose looks for, the best first."""


class Wanted(enum.Enum):
    """What shall become of an application."""

    PRESENT = "present"  # it is here; whether it runs stays as it is
    STARTED = "started"
    STOPPED = "stopped"
    ABSENT = "absent"  # neither it nor its data is here


@dataclass(frozen=True)
class Declared:
    """One application as it shall be.

    `directory` has the Compose files, named relative to it; without `files` those that Compose would find. Without a
    directory the application must be here already, and its files stay. Without `properties` these stay too.
    """

    name: str
    state: Wanted = Wanted.STARTED
    directory: Path | None = None
    files: tuple[str, ...] = ()
    properties: Mapping[str, str] | None = field(default=None, repr=False)


def parse(entries: Sequence[Any], origin: str = "applications") -> list[Declared]:
    """The entries as declarations. Raises DefinitionError with a line for each wrong one; values of properties are
    not shown."""
    parsed: list[Declared] = []
    problems: list[str] = []
    for number, entry in enumerate(entries):
        try:
            parsed.append(_declared(entry))
        except GridError as error:
            name = entry.get("name") if isinstance(entry, Mapping) else None
            problems.append(f"{origin}[{number}]{f' ({name})' if isinstance(name, str) else ''}: {error}")
    problems += _twice(parsed, origin)
    if problems:
        raise DefinitionError("\n".join(problems))
    return parsed


def compose_files(directory: Path, given: Sequence[str]) -> tuple[str, ...]:
    """The Compose files of a directory, relative to it. Raises DefinitionError when there are none."""
    if not directory.is_dir():
        raise DefinitionError(f"{directory} is no directory.")
    files = tuple(given) or _found(directory)
    missing = [name for name in files if not (directory / name).is_file()]
    if missing:
        raise DefinitionError(f"{directory} has no file {missing[0]}.")
    return files


def _found(directory: Path) -> tuple[str, ...]:
    base = next((name for name in COMPOSE_FILES if (directory / name).is_file()), None)
    if base is None:
        raise DefinitionError(f"{directory} has no Compose file; one of {', '.join(COMPOSE_FILES)} is looked for.")
    overrides = (name.replace("compose.", "compose.override.") for name in COMPOSE_FILES)
    override = next((name for name in overrides if (directory / name).is_file()), None)
    return (base, override) if override else (base,)


def _declared(entry: Any) -> Declared:
    if not isinstance(entry, Mapping):
        raise DefinitionError("is not a mapping; write name: … and directory: …")
    _refuse_unknown(entry)
    if not isinstance(entry.get("name"), str):
        raise DefinitionError("has no name")
    directory = entry.get("directory")
    given = entry.get("properties")
    return Declared(
        name=names.application(entry["name"]),
        state=_state(entry.get("state")),
        directory=Path(_text(directory, "directory")) if directory else None,
        files=tuple(_files(entry.get("files") or ())),
        properties=_properties(given) if given is not None or directory else None,
    )


def _refuse_unknown(entry: Mapping[Any, Any]) -> None:
    known = list(Declared.__dataclass_fields__)
    for key in entry:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise DefinitionError(f"the field {key!r} is unknown; {hint}")


def _state(value: Any) -> Wanted:
    try:
        return Wanted(value or Wanted.STARTED.value)
    except ValueError:
        accepted = ", ".join(state.value for state in Wanted)
        raise DefinitionError(f"state {value!r} is not accepted; give one of {accepted}") from None


def _files(value: Any) -> Iterator[str]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DefinitionError("files is not a list of names")
    for name in value:
        path = PurePosixPath(_text(name, "files"))
        if path.is_absolute() or ".." in path.parts:
            raise DefinitionError(f"{name!r} is not below the directory of the application")
        yield str(path)


def _properties(value: Any) -> dict[str, str]:
    if not isinstance(value or {}, Mapping):
        raise DefinitionError("properties is not a mapping of names to values")
    return properties.checked(value or {})


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise DefinitionError(f"{name} is not text")
    return value


def _twice(parsed: Sequence[Declared], origin: str) -> Iterator[str]:
    seen: set[str] = set()
    for declared in parsed:
        if declared.name in seen:
            yield f"{origin}: {declared.name} is declared twice"
        seen.add(declared.name)
