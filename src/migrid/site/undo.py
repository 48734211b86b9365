"""Changes of the homes that belong to a transaction of the user store.

The undo file is written before the homes are touched and names the generation that the transaction will commit. So
whoever comes next, after a failure or a crash, knows from the store's generation whether to keep the changes or to
take them back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import StoreError
from .homes import Homes

FILE_NAME = "MiG-users.undo"


class Step(NamedTuple):
    """One change: the home (`is_link` false) or the alias `name` goes from `before` to `after`.

    Of a home, `before` and `after` are names of the directory; of an alias, the directory it leads to.
    """

    is_link: bool
    name: str
    before: str | None
    after: str | None

    def do(self, homes: Homes) -> None:
        if self.is_link:
            _set_link(homes, self.name, self.after)
        elif self.before and self.after:
            homes.rename(self.before, self.after)
        else:
            homes.create(self.name)

    def undo(self, homes: Homes) -> None:
        if self.is_link:
            _set_link(homes, self.name, self.before)
        elif self.before and self.after:
            homes.rename(self.after, self.before)
        else:
            homes.discard(self.name)


def _set_link(homes: Homes, alias: str, target: str | None) -> None:
    if target:
        homes.link(alias, target)
    else:
        homes.unlink(alias)


class UndoFile:
    """What to take back if the transaction under way does not reach its end."""

    def __init__(self, directory: Path, homes: Homes) -> None:
        self.path = directory / FILE_NAME
        self._homes = homes

    def write(self, generation: int, steps: Sequence[Step]) -> None:
        """Note the steps that belong to the transaction which will commit `generation`."""
        staged = self.path.with_suffix(".new")
        with staged.open("w", encoding="utf-8") as file:
            json.dump({"generation": generation, "steps": steps}, file)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self.path)

    def settle(self, generation: int) -> None:
        """Take the noted steps back unless the store has reached their generation; then forget them."""
        try:
            noted = json.loads(self.path.read_text(encoding="utf-8"))
            steps = [Step(*step) for step in noted["steps"]]
            committed = generation >= noted["generation"]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.path} is damaged ({error}); check the homes by hand, then remove it") from error
        if not committed:
            for step in reversed(steps):
                step.undo(self._homes)
        self._homes.flush()
        self.path.unlink()
