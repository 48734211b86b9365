"""The commands of `mig-grid` about moves to this grid."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection
from typing import Any

from ...table import table
from .. import helper, records
from ..clock import SystemClock
from ..errors import UnknownError
from ..moves import control, live, request
from ..moves.migration import OPTIONS
from ..moves.plan import Plan
from ..moves.report import GOOD, Result
from ..moves.request import Request
from ..state import State, here
from .opened import Add, add_json, print_json

PATIENCE = 5.0
HELP = {
    "target_app": "its name here; default: the same",
    "action": "migrate (default) or snapshot",
    "stop_timeout": "seconds until SIGKILL; default: each container's own",
    "bandwidth_limit": "bytes a second, such as 10M",
    "cut_over": "when_ready (default), now, or a time such as 2030-05-31T02:00:00+02:00",
    "destroy_source": "after_healthy (default) or keep",
}


def add_commands(add: Add, group: Callable[[str, str], Add]) -> None:
    """The commands, as `cli` offers them."""
    moves = add("moves", list_moves, "list the moves to this grid, the latest last")
    add_json(moves)
    _add_request(add("plan", make_plan, "say what a move to this grid would do, and change nothing"))
    move = group("move", "start, follow and steer moves to this grid")
    start = move("start", start_move, "move an application to this grid, and follow it")
    _add_request(start)
    start.add_argument("--override-lock", action="store_true", help="take the place of a move that nobody carries out")
    start.add_argument("--detach", action="store_true", help="do not follow it")
    add_json(_with_move(move("follow", follow, "show how far a move is until it ends, and its report")))
    _with_move(move("cancel", cancel, "turn a move back; the application stays where it was"))
    when = _with_move(move("cut-over", cut_over, "let a move stop the application at another time"))
    when.add_argument("when", metavar="WHEN", help=HELP["cut_over"])
    _with_move(move("log", show_log, "print the log of a move"))


def list_moves(args: argparse.Namespace) -> int:
    """`mig-grid moves`."""
    grid, clock = here(), SystemClock()
    asked = {move: request for move in grid.moves() if (request := helper.request_of(grid, move))}
    every = [(move, asked[move], live.news(grid, move, 0.0, 0.0, clock)) for move in asked]
    if args.json:
        print_json([{"move": move, "request": _shown(wanted), "report": news.report} for move, wanted, news in every])
        return 0
    rows = ((move, *_asked(wanted), _outcome(news)) for move, wanted, news in every)
    print(table(["Move", "Action", "Application", "From", "Here", "Result"], rows))
    return 0


def make_plan(args: argparse.Namespace) -> int:
    """`mig-grid plan`."""
    plan = helper.make_plan(here(), _request(args))
    if args.json:
        print_json(plan)
    else:
        print(plan.text())
    return _judged(plan)


def start_move(args: argparse.Namespace) -> int:
    """`mig-grid move start`."""
    grid = here()
    started = helper.start_move(grid, _request(args))
    print(f"Move {started.move} {'was under way already' if started.attached else 'is under way'}.")
    print("It goes on when this command ends.")
    return 0 if args.detach else _follow(grid, started.move, GOOD, args.json)


def follow(args: argparse.Namespace) -> int:
    """`mig-grid move follow`."""
    grid = here()
    return _follow(grid, _move(grid, args.move), GOOD, args.json)


def cancel(args: argparse.Namespace) -> int:
    """`mig-grid move cancel`."""
    grid = here()
    move = _move(grid, args.move)
    control.cancel(grid.move_directory(move), _asked_of(grid, move).action)
    print(f"Move {move} is turned back.")
    return _follow(grid, move, (Result.CANCELLED,))


def cut_over(args: argparse.Namespace) -> int:
    """`mig-grid move cut-over`."""
    grid = here()
    move = _move(grid, args.move)
    control.cut_over(grid.move_directory(move), args.when)
    print(f"Move {move} stops the application: {request.cut_over(args.when)}.")
    return 0


def show_log(args: argparse.Namespace) -> int:
    """`mig-grid move log`."""
    grid = here()
    path = grid.move_directory(_move(grid, args.move)) / "log"
    print(path.read_text(encoding="utf-8") if path.exists() else "", end="")
    return 0


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("app", metavar="APP", help="name of the application on its grid")
    parser.add_argument("--from", dest="source_grid", required=True, metavar="GRID", help="the grid where it is")
    parser.add_argument("--as", dest="target_app", metavar="NAME", help=HELP["target_app"])
    for option in ("action", "stop_timeout", "bandwidth_limit", "cut_over", "destroy_source"):
        parser.add_argument(f"--{option.replace('_', '-')}", help=HELP[option])
    add_json(parser)


def _with_move(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("move", metavar="MOVE|APP", help="the move, or the application of the latest one")
    return parser


def _request(args: argparse.Namespace) -> Request:
    given = {name: getattr(args, name, None) for name in OPTIONS}
    return request.parse({**given, "target_grid": here().configuration().name})


def _move(grid: State, text: str) -> str:
    return text if text in grid.moves() else live.latest(grid, text)


def _asked_of(grid: State, move: str) -> Request:
    asked = helper.request_of(grid, move)
    if asked is None:
        raise UnknownError(f"Nothing is known of what was asked of move {move}.")
    return asked


def _follow(grid: State, move: str, good: Collection[Result], as_json: bool = False) -> int:
    """Show a move until it ends; 0 if it ends in one of the good ways."""
    shown, since = "", 0.0
    while True:
        news = live.news(grid, move, since, PATIENCE, SystemClock())
        since = news.since
        if news.finished and news.report:
            print_json(news.report) if as_json else print(news.report.text())
            return 0 if news.report.result in good else 1
        if news.line != shown and not as_json:
            shown = news.line
            print(f"{time.strftime('%H:%M:%S')}  {shown}", flush=True)


def _shown(asked: Request) -> dict[str, Any]:
    """A request without the values of properties: they may be secrets."""
    return {**records.to_data(asked), "app_config": sorted(asked.app_config)}


def _judged(plan: Plan) -> int:
    return 1 if plan.blocked else 0


def _asked(asked: Request) -> tuple[str, ...]:
    return asked.action.value, asked.app, asked.source_grid, asked.target_app


def _outcome(news: live.News) -> str:
    if news.report is None:
        return f"under way: {news.line}" if news.line else "under way"
    left = " (not finished yet)" if news.report.left_to_do else ""
    return f"{news.report.result.value}{left}"
