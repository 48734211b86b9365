"""What a grid says of itself and of its applications, asked of the engine and of what the grid remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from ..application import Application, Definition, Tree, TreeKind
from ..clock import Clock
from ..compose import description as compose
from ..engine import Engine
from ..errors import UnknownError
from ..sides import Facts
from ..state import Record, State
from .owning import owner_of


def facts(engine: Engine, state: State, clock: Clock) -> Facts:
    """What the grid says of itself."""
    configuration = state.configuration()
    known = [app for app in state.applications() if _is_here(state, app)]
    return Facts(
        grid=configuration.name,
        address=configuration.address,
        time=clock.time(),
        release=_release(),
        engine=engine.info(),
        applications=tuple(sorted({*known, *engine.projects()})),
    )


def definition(engine: Engine, state: State, app: str) -> Definition:
    """How Compose is told about an application. Raises UnknownError."""
    record = state.record(app)
    if record:
        return record.definition
    projects = engine.projects()
    if app not in projects:
        there = ", ".join(sorted({*projects, *filter(state.record, state.applications())})) or "none"
        raise UnknownError(f"There is no application {app} on grid {state.configuration().name}; there are: {there}.")
    return projects[app]


def describe(engine: Engine, state: State, app: str) -> Application:
    """All that a move must know of an application. Raises UnknownError, DefinitionError."""
    record = state.record(app)
    found = compose.describe(engine, definition(engine, state, app), managed=record is not None and record.managed)
    return replace(
        found,
        properties=record.properties if record else {},
        owner=owner_of(state, app),
        arrived_by=(record and record.settled and record.arrived_by) or "",
    )


def borrowed(app: str, found: Definition) -> Record:
    """The record of an application that somebody started by hand, for as long as a move holds it."""
    return Record(name=app, managed=False, definition=found)


def is_running(engine: Engine, app: str) -> bool:
    return any(container.running for container in engine.containers(app))


def doomed(engine: Engine, state: State, app: str, trees: Sequence[Tree]) -> tuple[Tree, ...]:
    """Those trees that go with an application: no external volume, and a project directory, last, only if no other
    project is in it or around it."""
    others = [other.directory for name, other in engine.projects().items() if name != app]
    others += [
        record.definition.directory for name in state.applications() if (record := state.record(name)) and name != app
    ]
    own = [tree for tree in trees if not tree.external and not _is_shared(tree, others)]
    return tuple(sorted(own, key=lambda tree: tree.kind is TreeKind.DIRECTORY))


def _is_here(state: State, app: str) -> bool:
    """Whether the name is taken: not by a mere marker, nor by what a move has yet to bring."""
    record = state.record(app)
    return record is not None and record.settled


def _release() -> str:
    try:
        return metadata.version("migrid")
    except metadata.PackageNotFoundError:
        return "unknown"


def _is_shared(tree: Tree, others: Sequence[Path]) -> bool:
    path = Path(tree.location)
    return tree.kind is TreeKind.DIRECTORY and any(
        other.is_relative_to(path) or path.is_relative_to(other) for other in others
    )
