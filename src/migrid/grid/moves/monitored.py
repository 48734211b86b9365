"""What MIGCTL, MigHelper and the monitor leave for each other in the directory of a move.

Users reach the monitor, and MigHelper trusts this directory. So the monitor writes to one of its own below it only.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ..state import read_json, write_json

OWN = "monitor"
"""The directory that the monitor writes to."""

_SECRETS = "monitor.json"
_PLACE = "monitor_at.json"


@dataclass(frozen=True)
class MonitorSecrets:
    """With what the monitor answers in place of MIGCTL's page.

    `signing_key`, in hexadecimal digits, is that of the page's sessions; `certificate` and `private_key` are those that
    the page shows, as PEM. Only who has logged in sees the move if the page `asks_for_login`, and who does `may_act`
    may cancel it. `address` is where the monitors of the target grid are reached, if that is not the grid's own.
    """

    signing_key: str = field(repr=False)
    certificate: str = field(repr=False)
    private_key: str = field(repr=False)
    may_act: bool
    asks_for_login: bool
    address: str = ""


@dataclass(frozen=True)
class Place:
    """Where a monitor answers."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def leave_secrets(directory: Path, secrets: MonitorSecrets) -> None:
    """Let the move have a monitor."""
    write_json(directory / _SECRETS, secrets)


def secrets_of(directory: Path) -> MonitorSecrets | None:
    """What was left for the monitor; None for a move that is to have none. Raises GridError."""
    return read_json(MonitorSecrets, directory / _SECRETS)


def make_room(directory: Path) -> None:
    """The directory that the monitor writes to."""
    (directory / OWN).mkdir(mode=0o700, exist_ok=True)


def tell_place(directory: Path, place: Place) -> None:
    """Let followers of the move know where the monitor answers."""
    write_json(directory / _PLACE, place)


def place_of(directory: Path) -> str:
    """Where the monitor answers, as HOST:PORT; empty as long as there is none. Raises GridError."""
    return str(read_json(Place, directory / _PLACE) or "")


def remove(directory: Path) -> None:
    """Nothing is left of the monitor, and nothing with which one could answer."""
    for name in (_SECRETS, _PLACE):
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(directory / OWN, ignore_errors=True)
