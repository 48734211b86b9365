"""The commands of `mig-grid` about the MIG assembly."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..assembly.fragment import fragment
from ..assembly.grid_info import grid_info
from ..docker.cli import DockerCli
from ..image import released
from ..state import here
from .opened import Add


def add_commands(group: Callable[[str, str], Add]) -> None:
    """The commands, as `cli` offers them."""
    appliance = group("appliance", "the MIG assembly")
    load = appliance("load", load_images, "load released images, once their checksums are right")
    load.add_argument("places", nargs="+", type=Path, metavar="FILE|DIRECTORY", help="with SHA256SUMS beside or in it")
    appliance("fragment", print_fragment, "print the Compose file of the assembly, to use beside an application's own")
    appliance("grid-info", print_grid_info, "print the file grid_info: this grid, and those that it knows")


def load_images(args: argparse.Namespace) -> int:
    """`mig-grid appliance load`."""
    for image in released.load(DockerCli(), args.places):
        print(f"{image} is loaded.", flush=True)
    return 0


def print_fragment(_: argparse.Namespace) -> int:
    """`mig-grid appliance fragment`."""
    print(fragment(here().configuration()), end="")
    return 0


def print_grid_info(_: argparse.Namespace) -> int:
    """`mig-grid appliance grid-info`."""
    print(grid_info(here()), end="")
    return 0
