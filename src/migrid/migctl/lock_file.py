"""The lock file on the config volume: the move that this application is in, as the copy that starts next finds it.

It travels with the volume. A power cut leaves the old one or the new one; one that says anything else is damaged, and
nothing may be concluded from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..grid import names
from ..grid.errors import GridError
from ..grid.sides import Action
from ..grid.state import sync, write_json
from .errors import LockFileError

LOCK = "lock"
"""Its name in the directory 3tera."""

_OVERRIDDEN = "lock.overridden"

_ACTIONS = {"migrate": Action.MIGRATE, "snap": Action.SNAPSHOT}


@dataclass(frozen=True)
class LockFile:
    """A move. `move` is its name once the target grid has said it, and `after` the last one before it there: until then
    it can only be a later one."""

    source_grid: str
    source_app_name: str
    target_grid: str
    target_app_name: str
    action: Action
    move: str = ""
    after: str = ""


def read(path: Path) -> LockFile | None:
    """The lock, if there is one. Raises LockFileError, which says what to do."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockFileError(f"{path} cannot be read: {error.strerror}. Nothing is done until it can.") from error
    try:
        return _lock(json.loads(content))
    except (ValueError, TypeError, KeyError, RecursionError, GridError) as error:
        raise LockFileError(
            f"{path} is damaged ({error}). It said which move this application is in, so nothing is removed anywhere."
            " Look at both grids, or ask their operators, whether a move is under way. When none is, `migctl forget`"
            " removes the file."
        ) from error


def write(path: Path, lock: LockFile) -> None:
    """Replace the lock, so that it survives a power cut. Raises OSError."""
    word = next(word for word, action in _ACTIONS.items() if action is lock.action)
    write_json(path, {**asdict(lock), "action": word})


def override(path: Path, lock: LockFile) -> None:
    """Put a lock in the place of the one that is there, whatever that says, which is kept. Raises OSError."""
    files.replace(path.with_name(_OVERRIDDEN), path.read_bytes(), 0o600)
    write(path, lock)


def go_back(path: Path) -> None:
    """Let the lock that was overridden be in force again; without one there is none any more. Raises OSError."""
    overridden = path.with_name(_OVERRIDDEN)
    if overridden.exists():
        overridden.replace(path)
        sync(path.parent)
    else:
        remove(path)


def remove(path: Path) -> None:
    """Remove the lock for good, and the one that it overrode; none is no error. Raises OSError."""
    path.with_name(_OVERRIDDEN).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync(path.parent)


def _lock(data: Any) -> LockFile:
    if not isinstance(data, dict) or set(data) != set(_READ):
        raise ValueError(f"it does not hold {', '.join(_READ)}")
    return LockFile(**{name: check(data[name]) for name, check in _READ.items()})


def _text(check: Callable[[str], str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is no text")
        return check(value)

    return read


def _move(value: str) -> str:
    return value and names.move(value)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "source_grid": _text(names.grid),
    "source_app_name": _text(names.application),
    "target_grid": _text(names.grid),
    "target_app_name": _text(names.application),
    "action": lambda value: _ACTIONS[value],
    "move": _text(_move),
    "after": _text(_move),
}
