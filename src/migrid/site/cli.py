"""The command `mig`: manage users, check the configuration, see whether the services answer."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from ..table import table
from . import checkconf, status, status_page
from .commands import arguments, edit, import_site, listing, logins, mail, openid, requests, tidy, usercert
from .configuration import DEFAULT_PATH, default_path, load, read
from .errors import ConfigurationError, MigError
from .state_tree import kept_homes

UNREADABLE = 2
INTERRUPTED = 130

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status: 0 done, 1 failed or found something wrong, 2 wrong usage or no configuration.

    Here all errors meet the user: as one message, and with `--traceback` as Python shows them.
    """
    _print_what_the_terminal_cannot()
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, EOFError):
        print("\nmig: interrupted; nothing was changed", file=sys.stderr)
        return INTERRUPTED
    except (MigError, OSError) as error:
        if args.traceback:
            traceback.print_exc()
        print(f"mig: {_message(error)}", file=sys.stderr)
        return UNREADABLE if isinstance(error, ConfigurationError) else 1


def check_configuration(args: argparse.Namespace) -> int:
    """`mig checkconf`: print every problem."""
    path = args.conf or default_path()
    problems = checkconf.file_problems(read(path)) if args.file_only else checkconf.problems(path)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'} found.", file=sys.stderr)
        return 1
    if not args.file_only:
        _note_kept_homes(path)
    print(f"{path}: no problem found.")
    return 0


def show_status(args: argparse.Namespace) -> int:
    """`mig status`: print or write what the services answer."""
    found = status.check(load(args.conf))
    if args.html:
        status_page.write(found, args.html)
        return 0
    if args.json:
        print(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        print(f"{found.title}, {found.checked:%Y-%m-%d %H:%M:%S} UTC")
        print(table(["Service", "State", "Address", "Answer"], map(_status_row, found.services)))
    return 0 if found.up else 1


def _run(args: argparse.Namespace) -> int:
    command: Command = args.run
    exit_status = command(args)
    sys.stdout.flush()
    return exit_status


def _message(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"cannot access {error.filename}: {error.strerror}; run it as root: sudo mig …"
    return str(error)


def _print_what_the_terminal_cannot() -> None:
    """Let names be printed in every locale: what its encoding lacks appears as an escape."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _note_kept_homes(path: Path) -> None:
    homes = kept_homes(load(path))
    for home in homes:
        print(f"Note: {home} was kept when its user was removed.")


def _status_row(result: status.Result) -> tuple[str, str, str, str]:
    return (result.name, "up" if result.up else "DOWN", f"{result.host}:{result.port}", result.detail)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mig", description=__doc__)
    parser.add_argument("--version", action="version", version=f"mig {version('migrid')}")
    _add_common(parser, default=None)
    parser.set_defaults(traceback=False)
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, default=argparse.SUPPRESS)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Command, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=text, description=f"{text.capitalize()}.")
        command.set_defaults(run=run)
        return command

    _add_user_commands(add)
    checkconf_parser = add("checkconf", check_configuration, "find all problems of the site's configuration and state")
    checkconf_parser.add_argument("--file-only", action="store_true", help="check only MiGserver.conf")
    status_parser = add("status", show_status, "see whether the services of the site answer")
    form = status_parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON instead of a table")
    page_help = "write index.html and status.json there; the exit status is 0 when they are written"
    form.add_argument("--html", metavar="DIRECTORY", type=Path, help=page_help)
    import_site.add_import_site(add)
    usercert.add_commands(add)
    openid.add_commands(add)
    requests.add_commands(add)
    mail.add_commands(add)
    tidy.add_tidy(add)
    return parser


def _add_user_commands(add: Callable[[str, Command, str], argparse.ArgumentParser]) -> None:
    create = add("createuser", edit.create_user, "create a user; ask for what is not given")
    create.add_argument("fields", nargs="*", metavar="FIELD", help=" ".join(map(str.upper, edit.QUESTIONS)))
    create.add_argument("-i", "--distinguished-name", metavar="DN", help="instead of the fields of the name")
    arguments.add_name(create)
    arguments.add_properties(create)

    change = add("edituser", edit.edit_user, "change a user; what is not given stays as it is")
    arguments.add_user(change)
    change.add_argument("--state", choices=["present", "suspended"], help="a suspended user cannot log in")
    change.add_argument("--ask-password", action="store_true", help="ask for a new password")
    change.add_argument("--reset-twofactor", action="store_true", help="take the second factor away")
    arguments.add_name(change)
    arguments.add_properties(change)

    remove = add("deleteuser", edit.delete_user, "remove a user, and keep the home unless told otherwise")
    arguments.add_user(remove)
    remove.add_argument("--remove-data", action="store_true", help="remove the home and all files in it too")
    remove.add_argument("--yes", action="store_true", help="do not ask")

    add("publishusers", edit.publish_users, "let the services of this host know the users as they are now")

    users = add("users", listing.list_users, "list the users")
    arguments.add_filters(users)
    users.add_argument("--json", action="store_true", help="print JSON instead of a table")

    delays = add("logins", logins.show_logins, "show who has to wait after failed logins, and why")
    delays.add_argument("--forget", metavar="LOGIN|ADDRESS", help="forget these failures, so that nobody has to wait")


def _add_common(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "-c",
        "--conf",
        metavar="FILE",
        type=Path,
        default=default,
        help=f"the site's configuration; without it $MIG_CONF, else {DEFAULT_PATH}",
    )
    parser.add_argument("--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


if __name__ == "__main__":
    sys.exit(main())
