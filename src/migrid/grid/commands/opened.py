"""What every command begins with: the grid of this host."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import records
from ..applications import Applications
from ..opening import open_engine
from ..state import ETC, ROOT, State

Command = Callable[[argparse.Namespace], int]
Add = Callable[[str, Command, str], argparse.ArgumentParser]
"""Offer a command by its name, with what runs it and what it does in one line."""


def add_places(parser: argparse.ArgumentParser, default: object) -> None:
    """Where the grid is, for who has more than one on a host."""
    parser.add_argument(
        "--state", metavar="DIRECTORY", type=Path, default=default, help=f"what the grid remembers; default: {ROOT}"
    )
    parser.add_argument(
        "--etc", metavar="DIRECTORY", type=Path, default=default, help=f"the grid's configuration; default: {ETC}"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def state(args: argparse.Namespace) -> State:
    """The state of the grid."""
    return State(args.state or ROOT, args.etc or ETC)


def applications(args: argparse.Namespace) -> Applications:
    """The applications of the grid. Raises GridError when this host is none."""
    here = state(args)
    return Applications(here, open_engine(here))


def print_json(value: Any) -> None:
    print(json.dumps(records.to_data(value), ensure_ascii=False, indent=2))
