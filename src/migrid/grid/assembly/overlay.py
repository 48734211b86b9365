"""The MIG assembly laid over the directory that an application is made from."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import DefinitionError
from ..state import State
from .fragment import DIRECTORY, FILE, fragment
from .grid_info import grid_info

KEY = "private_key"


def lay_over(directory: Path, state: State, app: str) -> None:
    """Put the assembly's Compose file and what it mounts into a directory. What the directory has itself below `mig`
    stays. Raises DefinitionError when nobody made a key for the application's owner, GridError, OSError."""
    (directory / FILE).write_text(fragment(state.configuration()), encoding="utf-8")
    place = directory / DIRECTORY
    (place / "ps8").mkdir(parents=True, exist_ok=True)
    if not (place / "grid_info").exists():
        (place / "grid_info").write_text(grid_info(state), encoding="utf-8")
    if not (place / KEY).exists():
        _copy_key(state.owner_key(app), place / KEY, app)
    for path in (place / KEY, place / "grid_info"):
        path.chmod(0o444)  # for the account in the container; nobody else enters the directory of an application


def _copy_key(key: Path, target: Path, app: str) -> None:
    if not key.exists():
        raise DefinitionError(
            f"The owner of {app} has no key on this grid. Run playbooks/grids.yml, which makes one; or put that of the"
            f" owner in grid_owners into the application's directory, as {DIRECTORY}/{KEY}."
        )
    shutil.copyfile(key, target)
