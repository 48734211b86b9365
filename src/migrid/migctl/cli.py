"""The command `migctl`: move the application that it runs in to another grid, or take a snapshot of it there."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..grid import units
from ..grid.errors import GridError, InvalidNameError, OptionError
from ..grid.moves.report import GOOD
from ..grid.sides import Action
from ..table import table
from . import lock_file
from .lock_file import LOCK
from .migration import Migration, Target, Wish
from .opening import CONFIG, STATE, opened

USAGE = 2
INTERRUPTED = 130

_OPTIONS = {
    "cut_over": "when_ready (default), now, or a time such as 2030-05-31T02:00:00+02:00",
    "bandwidth_limit": "bytes a second, such as 10M",
    "stop_timeout": "seconds until SIGKILL; default: each container's own",
    "destroy_source": "after_healthy (default) or keep",
}

Command = Callable[[argparse.Namespace], int]
Moving = Callable[[Migration, argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed or found something wrong, 2 wrong usage."""
    args = _parser().parse_args(argv)
    try:
        command: Command = args.run
        return command(args)
    except KeyboardInterrupt:
        print("\nmigctl: interrupted; a move that is under way goes on", file=sys.stderr)
        return INTERRUPTED
    except (GridError, OSError) as error:
        print(f"migctl: {error}", file=sys.stderr)
        return USAGE if isinstance(error, (InvalidNameError, OptionError)) else 1


def show_status(migration: Migration, _: argparse.Namespace) -> int:
    """`migctl status`."""
    here = migration.here()
    print(f"This is {here.app} on {here.grid}.")
    lock = migration.lock()
    if lock is None:
        print("No move is under way.")
        return 0
    print(
        f"The lock file: {lock.action.value} to {lock.target_grid} as {lock.target_app_name} {lock.move}".rstrip() + "."
    )
    return 0


def list_grids(migration: Migration, _: argparse.Namespace) -> int:
    """`migctl grids`."""
    print(table(["Grid", "Engine", "Free", ""], map(_row, migration.targets())))
    return 0


def make_plan(migration: Migration, args: argparse.Namespace) -> int:
    """`migctl plan`."""
    plan = migration.plan(_wish(args))
    print(plan.text())
    return 1 if plan.blocked else 0


def start_move(migration: Migration, args: argparse.Namespace) -> int:
    """`migctl start`."""
    started = migration.start(_wish(args), args.override_lock)
    print(f"Move {started.move} {'was under way already' if started.attached else 'is under way'}.")
    print("It goes on when this command ends, and so when the application is stopped.")
    return 0 if args.detach else follow(migration, args)


def follow(migration: Migration, _: argparse.Namespace) -> int:
    """`migctl follow`."""
    shown, report = "", None
    for news in migration.follow():
        report = news.report
        if news.line != shown:
            shown = news.line
            print(f"{time.strftime('%H:%M:%S')}  {shown}", flush=True)
    if report:
        print(report.text())
    migration.settle()
    return 0 if report and report.result in GOOD else 1


def cancel(migration: Migration, _: argparse.Namespace) -> int:
    """`migctl cancel`."""
    migration.cancel()
    print("The move is turned back; `migctl follow` shows how.")
    return 0


def show_history(migration: Migration, _: argparse.Namespace) -> int:
    """`migctl history`."""
    found = migration.history()
    every = sorted((moved for moves in found.said.values() for moved in moves), key=lambda moved: moved.move)
    rows = (
        (each.move, each.request.action.value, each.request.source_grid, each.request.target_grid,
         each.request.target_app, each.report.result.value if each.report and each.finished else "under way")
        for each in every
    )  # fmt: skip
    print(table(["Move", "Action", "From", "To", "As", "Result"], rows))
    for grid, why in found.silent.items():
        print(f"{grid}: {why}")
    return 1 if found.silent else 0


def show_log(migration: Migration, args: argparse.Namespace) -> int:
    """`migctl log`."""
    print(migration.log(args.grid, args.move), end="")
    return 0


def forget(args: argparse.Namespace) -> int:
    """`migctl forget`."""
    lock_file.remove(args.config / STATE / LOCK)
    print("The lock file is removed. Whatever it spoke of is left as it is.")
    return 0


def _with_migration(run: Moving) -> Command:
    """The command, which needs the grids."""

    def command(args: argparse.Namespace) -> int:
        with opened(os.environ, args.config) as migration:
            return run(migration, args)

    return command


def _wish(args: argparse.Namespace) -> Wish:
    given = {name: getattr(args, name) for name in _OPTIONS}
    chosen = {name: value for name, value in given.items() if value is not None}
    return Wish(args.grid, args.app, Action(args.action), chosen)


def _row(target: Target) -> tuple[str, ...]:
    facts = target.facts
    if facts is None:
        return target.name, "", "", target.problem
    return target.name, facts.engine, units.size(facts.free_bytes), ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migctl", description=__doc__)
    parser.add_argument("--config", metavar="DIRECTORY", type=Path, default=CONFIG, help="the config volume")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.set_defaults(run=run)
        return command

    add("status", _with_migration(show_status), "say on which grid this is, and whether a move is under way")
    add("grids", _with_migration(list_grids), "list the grids that the application could go to")
    _with_wish(add("plan", _with_migration(make_plan), "say what a move would do, and change nothing"))
    start = _with_wish(add("start", _with_migration(start_move), "start a move, and follow it"))
    start.add_argument("--override-lock", action="store_true", help="take the place of a move that nobody carries out")
    start.add_argument("--detach", action="store_true", help="do not follow it")
    add("follow", _with_migration(follow), "show how far the move under way is until it ends, and its report")
    add("cancel", _with_migration(cancel), "turn the move under way back; the application stays where it was")
    add("history", _with_migration(show_history), "list the moves that there were")
    log = add("log", _with_migration(show_log), "print the log of a move")
    log.add_argument("grid", metavar="GRID", help="the grid that it went to")
    log.add_argument("move", metavar="MOVE", help="its name, as history has it")
    add("forget", forget, "remove the lock file when no move is under way")
    return parser


def _with_wish(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("grid", metavar="GRID", help="the grid to go to")
    parser.add_argument("--as", dest="app", metavar="NAME", default="", help="its name there; default: the same")
    actions = [action.value for action in Action]
    parser.add_argument("--action", choices=actions, default=Action.MIGRATE.value, help="default: migrate")
    for name, text in _OPTIONS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
