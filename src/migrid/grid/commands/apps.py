"""The commands of `mig-grid` about applications."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...table import table
from .. import names, units
from ..application import Container, Tree, TreeKind
from ..applications import described
from ..applications.declared import Declared, Wanted
from ..applications.reconcile import Change, reconcile
from ..applications.standing import Observed, explained, sentence
from ..applications.verbs import Applications, Information
from ..compose import properties
from ..compose.properties import effective
from ..errors import DefinitionError, GridError
from .opened import Add, add_json, applications, print_json


def add_commands(add: Add) -> None:
    """The commands, as `cli` offers them."""
    add_json(add("list", list_applications, "list the applications of this grid"))
    info = _with_app(add("info", show, "show all of one application"))
    add_json(info)
    _add_provision(add)
    start = _with_app(add("start", start_application, "start an application and wait until it is healthy"))
    start.add_argument("--no-wait", action="store_true", help="do not wait until it is healthy")
    stop = _with_app(add("stop", stop_application, "stop an application, also for restarts of the engine"))
    stop.add_argument("--timeout", type=float, metavar="SECONDS", help="until SIGKILL; default: each container's own")
    destroy = _with_app(add("destroy", destroy_application, "remove an application with all its data"))
    destroy.add_argument("--yes", action="store_true", help="do not ask")


def list_applications(args: argparse.Namespace) -> int:
    """`mig-grid list`."""
    every = applications().all()
    if args.json:
        print_json([described.application(observed) for observed in every])
    else:
        print(table(["Application", "State", "Containers", "Ports", "Managed"], map(_row, every)))
    return 0


def show(args: argparse.Namespace) -> int:
    """`mig-grid info`."""
    found = applications().information(names.application(args.app))
    if args.json:
        print_json(described.information(found))
    else:
        print("\n".join(_information(found)))
    return 0


def provision(args: argparse.Namespace) -> int:
    """`mig-grid provision`."""
    here = applications()
    declared = Declared(
        name=names.application(args.app),
        state=Wanted.STARTED if args.start else Wanted.PRESENT,
        directory=args.directory.resolve(),
        files=tuple(args.file or ()),
        properties=_properties(args, here),
    )
    for change in reconcile(here, [declared], dry_run=args.check):
        _print_change(change)
    return 0


def start_application(args: argparse.Namespace) -> int:
    """`mig-grid start`."""
    print(f"{sentence(applications().start(names.application(args.app), wait=not args.no_wait))}.")
    return 0


def stop_application(args: argparse.Namespace) -> int:
    """`mig-grid stop`."""
    print(f"{sentence(applications().stop(names.application(args.app), args.timeout))}.")
    return 0


def destroy_application(args: argparse.Namespace) -> int:
    """`mig-grid destroy`."""
    here = applications()
    app = names.application(args.app)
    found = here.information(app)
    if not args.yes and not _confirmed(found):
        print("Nothing was changed.")
        return 1
    here.destroy(app)
    print(f"{app} and its data were removed.")
    return 0


def _with_app(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("app", metavar="APP", help="name of the application")
    return parser


def _add_provision(add: Add) -> None:
    parser = _with_app(add("provision", provision, "make an application from a directory with Compose files"))
    parser.add_argument("directory", metavar="DIRECTORY", type=Path)
    parser.add_argument(
        "-f", "--file", action="append", help="a Compose file in it; repeat for more; default: Compose's"
    )
    parser.add_argument(
        "-p",
        "--property",
        action="append",
        metavar="NAME=VALUE",
        help="a variable of the Compose file",
    )
    parser.add_argument("--properties-file", metavar="FILE", type=Path, help="the same, a line for each; for secrets")
    parser.add_argument("--start", action="store_true", help="start it too")
    parser.add_argument("--check", action="store_true", help="change nothing, and say what would be changed")


def _properties(args: argparse.Namespace, here: Applications) -> dict[str, str]:
    """Those of the application already, and over them those that were given."""
    record = here.state.record(args.app)
    lines = list(args.property or ())
    if args.properties_file:
        lines = [*_lines(args.properties_file), *lines]
    return effective(record.properties if record else {}, properties.checked(dict(map(_pair, lines))))


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise DefinitionError(f"{name!r} is no property; write NAME=VALUE.")
    return name.strip(), value


def _print_change(change: Change) -> None:
    fields = f" ({', '.join(change.fields)})" if change.fields else ""
    print(f"{change.name}: {change.action.value}{fields}")
    if change.note:
        print(f"Note: {change.note}", file=sys.stderr)


def _row(observed: Observed) -> tuple[str, ...]:
    up = sum(container.running for container in observed.containers)
    return (
        observed.name,
        explained(observed),
        f"{up}/{len(observed.containers)}" if observed.containers else "",
        " ".join(described.ports(observed)),
        "yes" if observed.managed else "no",
    )


def _information(found: Information) -> Iterator[str]:
    observed = found.observed
    yield f"{sentence(observed)}."
    if observed.definition:
        yield f"Directory: {observed.definition.directory}"
    if found.own_properties:
        yield f"Properties: {' '.join(found.own_properties)}"
    if found.grid_properties:
        yield f"Properties of this grid: {' '.join(found.grid_properties)}"
    for name, seconds in sorted(found.seconds.items()):
        yield f"Last {name}: {units.seconds(seconds)}"
    yield from _table(["Container", "State", "Image", "Restart"], map(_container_row, observed.containers))
    volumes = [tree for tree in found.trees if tree.name != "project"]
    yield from _table(
        ["Volume", "Name", "External"],
        ((tree.name, tree.location, "yes" if tree.external else "no") for tree in volumes),
    )


def _table(head: list[str], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    lines = list(rows)
    if lines:
        yield ""
        yield table(head, lines)


def _container_row(item: Container) -> tuple[str, ...]:
    state = f"{item.state}, {item.health}" if item.health else item.state
    return item.name, state, item.image, item.restart_policy


def _volumes(found: Information) -> list[Tree]:
    return [tree for tree in found.trees if tree.kind is TreeKind.VOLUME]


def _volume_row(tree: Tree) -> tuple[str, ...]:
    return tree.name, tree.location, "yes" if tree.external else "no"


def _confirmed(found: Information) -> bool:
    if not sys.stdin.isatty():
        raise GridError("there is no terminal to ask at; give --yes to remove the application")
    lost = [tree.location for tree in _volumes(found) if not tree.external]
    volumes = f" and the data in {', '.join(lost)}" if lost else ""
    return input(f"Remove {found.observed.name}{volumes}? [y/N] ").strip().lower() in ("y", "yes")
