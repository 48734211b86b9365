"""What provisioning put into a project directory, and whether the containers have seen it yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..state import State, read_json, write_json
from .contents import Entry


@dataclass(frozen=True)
class Provisioned:
    """`contents` is what the declared directory had the last time. What is `pending` takes effect at the next start;
    the services in `anew` are to be made anew then, because a file that they read when they start has changed."""

    contents: Mapping[str, Entry] = field(default_factory=dict)
    pending: bool = False
    anew: tuple[str, ...] = ()


def read_provisioned(state: State, app: str) -> Provisioned:
    """What is remembered; nothing of an application that was not provisioned here."""
    return read_json(Provisioned, _path(state, app)) or Provisioned()


def write_provisioned(state: State, app: str, provisioned: Provisioned) -> None:
    write_json(_path(state, app), provisioned)


def settle_provisioned(state: State, app: str) -> None:
    """The containers have seen everything."""
    provisioned = read_provisioned(state, app)
    if provisioned.pending:
        write_provisioned(state, app, replace(provisioned, pending=False, anew=()))


def _path(state: State, app: str) -> Path:
    return state.application_directory(app) / "provisioned.json"
