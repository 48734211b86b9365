"""The command `mig-grid`: applications of this grid, and their moves from and to other grids."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .commands import appliance, apps, care, moves
from .commands.opened import Add, Command
from .errors import GridError, InvalidNameError, OptionError

USAGE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed or found something wrong, 2 wrong usage.

    Here all errors meet the user: as one message, and with `--traceback` as Python shows them.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, EOFError):
        print("\nmig-grid: interrupted; a move that is under way goes on", file=sys.stderr)
        return INTERRUPTED
    except (GridError, OSError) as error:
        if args.traceback:
            traceback.print_exc()
        print(f"mig-grid: {_message(error)}", file=sys.stderr)
        return USAGE if isinstance(error, (InvalidNameError, OptionError)) else 1


def _run(args: argparse.Namespace) -> int:
    command: Command = args.run
    exit_status = command(args)
    sys.stdout.flush()
    return exit_status


def _message(error: Exception) -> str:
    if os.geteuid() and (isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError)):
        return f"{error}; run it as root: sudo mig-grid …"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mig-grid", description=__doc__)
    parser.add_argument("--version", action="version", version=f"mig-grid {_version()}")
    parser.add_argument("--traceback", action="store_true", help=argparse.SUPPRESS)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def group(name: str, text: str) -> Add:
        parent = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
        return _adder(parent.add_subparsers(title="commands", metavar="COMMAND", required=True), common)

    add = _adder(commands, common)
    apps.add_commands(add)
    moves.add_commands(add, group)
    care.add_commands(add)
    appliance.add_commands(group)
    return parser


def _adder(commands: Any, common: argparse.ArgumentParser) -> Add:
    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}."
        command: argparse.ArgumentParser = commands.add_parser(
            name, parents=[common], help=text, description=description
        )
        command.set_defaults(run=run)
        return command

    return add


def _version() -> str:
    try:
        return version("migrid")
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    sys.exit(main())
