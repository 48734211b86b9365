"""The commands of `mig-grid` about the MIG assembly."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..docker.cli import DockerCli
from ..image import released
from .opened import Add


def add_commands(group: Callable[[str, str], Add]) -> None:
    """The commands, as `cli` offers them."""
    appliance = group("appliance", "images of the MIG assembly")
    load = appliance("load", load_images, "load released images, once their checksums are right")
    load.add_argument("places", nargs="+", type=Path, metavar="FILE|DIRECTORY", help="with SHA256SUMS beside or in it")


def load_images(args: argparse.Namespace) -> int:
    """`mig-grid appliance load`."""
    for image in released.load(DockerCli(), args.places):
        print(f"{image} is loaded.", flush=True)
    return 0
