"""What every command begins with: the grid of this host."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from .. import records
from ..applications.verbs import Applications
from ..opening import open_engine
from ..state import here

Command = Callable[[argparse.Namespace], int]
Add = Callable[[str, Command, str], argparse.ArgumentParser]
"""Offer a command by its name, with what runs it and what it does in one line."""


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def applications() -> Applications:
    """The applications of this host's grid. Raises GridError when it is none."""
    state = here()
    return Applications(state, open_engine(state))


def print_json(value: Any) -> None:
    print(json.dumps(records.to_data(value), ensure_ascii=False, indent=2))
