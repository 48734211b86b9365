"""`python -m migrid.grid.image`: build an image on a grid, or remove those of earlier releases."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from ..assembly.fragment import images
from ..docker.cli import DockerCli
from ..errors import GridError
from ..state import here
from . import recipe
from .build import build, is_built, remove_old

_ASSEMBLY = "if none is named, those that applications with the MIG assembly get on this grid"


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
    wanted = {name: recipe.of(name) for name in _named(args)}
    done = [not is_built(cli, each, name) if args.check else build(cli, each, name, args.mirror)
            for name, each in wanted.items()]  # fmt: skip
    return {"bases": [each.base for each in wanted.values()], "changed": any(done)}


def _named(args: argparse.Namespace) -> Sequence[str]:
    """The images that are meant: those of an application's assembly, of the release that this grid has, if none is
    named."""
    return args.names or images(here().configuration())


def _remove_old(cli: DockerCli, args: argparse.Namespace) -> dict[str, object]:
    removed = [image for name in _named(args) for image in remove_old(cli, recipe.of(name), name)]
    return {"removed": removed, "changed": bool(removed)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrid.grid.image", description=__doc__)
    commands = parser.add_subparsers(required=True)
    building = commands.add_parser("build", help="build images unless they are here")
    building.add_argument(
        "names", nargs="*", metavar="NAME", help=f"such as {recipe.MIGHELPER.repository}:1; {_ASSEMBLY}"
    )
    building.add_argument("--mirror", default="", help="a Debian mirror, instead of the one that this host uses")
    building.add_argument("--check", action="store_true", help="build nothing, only say whether it would")
    building.set_defaults(run=_build)
    removing = commands.add_parser("remove-old", help="remove the images of other releases")
    removing.add_argument("names", nargs="*", metavar="NAME", help=f"an image that stays; {_ASSEMBLY}")
    removing.set_defaults(run=_remove_old)
    return parser


if __name__ == "__main__":
    sys.exit(main())
