"""`python -m migrid.grid.image`: build an image on a grid, or remove those of earlier releases."""

from __future__ import annotations

import argparse
import json
import sys
import time

from ..docker.cli import DockerCli
from ..errors import GridError
from . import recipe
from .build import build, is_built, remove_old


def main() -> int:
    """Do what the arguments say; print one line of JSON."""
    args = _parser().parse_args()
    began = time.monotonic()
    try:
        done = args.run(DockerCli(), args)
    except GridError as error:
        print(f"migrid.grid.image: {error}", file=sys.stderr)
        return 1
    print(json.dumps({**done, "seconds": round(time.monotonic() - began, 1)}))
    return 0


def _build(cli: DockerCli, args: argparse.Namespace) -> dict[str, object]:
    wanted = recipe.of(args.name)
    changed = not is_built(cli, wanted, args.name) if args.check else build(cli, wanted, args.name, args.mirror)
    return {"image": args.name, "base": wanted.base, "changed": changed}


def _remove_old(cli: DockerCli, args: argparse.Namespace) -> dict[str, object]:
    removed = remove_old(cli, recipe.of(args.name), args.name)
    return {"removed": removed, "changed": bool(removed)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrid.grid.image", description=__doc__)
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("build", help="build the image unless it is here")
    building.add_argument("name", metavar="NAME", help=f"such as {recipe.MIGHELPER.repository}:1")
    building.add_argument("--mirror", default="", help="a Debian mirror, instead of the one that this host uses")
    building.add_argument("--check", action="store_true", help="build nothing, only say whether it would")
    building.set_defaults(run=_build)
    removing = commands.add_parser("remove-old", help="remove the images of other releases")
    removing.add_argument("name", metavar="NAME", help="the image that stays")
    removing.set_defaults(run=_remove_old)
    return parser


if __name__ == "__main__":
    sys.exit(main())
