"""The command of `mig` that turns the configuration of an existing site into variables of an inventory."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ...provision.import_site import import_command, import_site
from ..errors import MigError

Command = Callable[[argparse.Namespace], int]
DESCRIPTION = """Print a command line of MiG's configuration generator, or an existing MiGserver.conf, as variables of
an inventory, in YAML. What could not be carried over is listed in comments. Nothing is changed."""


def add_import_site(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = add("import-site", print_variables, "turn the configuration of an existing site into an inventory")
    parser.description = DESCRIPTION
    source = "a file with either of them; - reads standard input; or the options themselves after --"
    parser.add_argument("source", nargs="+", metavar="FILE|OPTION", help=source)


def print_variables(args: argparse.Namespace) -> int:
    """`mig import-site`: print the YAML file."""
    options = [word for word in args.source if word.startswith("--")]
    if not options and len(args.source) > 1:
        raise MigError(f"{len(args.source)} files are given; give one")
    found = import_command(args.source) if options else import_site(_text(args.source[0]))
    print(found.as_yaml(), end="")
    return 0


def _text(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise MigError(f"{source} is not text in UTF-8; give a MiGserver.conf or a command line") from None
