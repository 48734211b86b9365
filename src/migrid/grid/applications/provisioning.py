"""A declared directory, checked by Compose, and what it takes to make it the application's project directory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..application import Definition
from ..compose import properties
from ..compose.wishes import rereading, wishes
from ..errors import DefinitionError
from ..state import Record, State
from . import contents
from .contents import Changes, Contents
from .declared import Declared, compose_files
from .provisioned import Provisioned, read_provisioned, write_provisioned
from .standing import Observed
from .verbs import Applications


@dataclass(frozen=True)
class Prepared:
    """What an application shall consist of. `model` is what Compose makes of it; `own` and `effective` are properties.

    Without a `source` the files stay as they are.
    """

    source: Path | None
    files: tuple[str, ...]
    wanted: Contents
    model: Mapping[str, Any]
    own: Mapping[str, str]
    effective: Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """What is not yet as it shall be. `properties` has the names of those that differ."""

    files: Changes = field(default_factory=Changes)
    properties: tuple[str, ...] = ()
    definition: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.properties or self.definition)


def prepare(applications: Applications, declared: Declared, observed: Observed) -> Prepared:
    """Read and check a declaration. Raises DefinitionError with Compose's own words; changes nothing."""
    present = observed.record.definition if observed.record else None
    directory = declared.directory or (present.directory if present else None)
    if directory is None:
        raise DefinitionError(f"{declared.name} is not on this grid, and no directory to make it from was given.")
    files = compose_files(directory, declared.files or _files(declared, present))
    earlier = observed.record.properties if observed.record else {}
    own = earlier if declared.properties is None else declared.properties
    effective = applications.effective_properties(declared.name, own)
    return Prepared(
        source=declared.directory,
        files=files,
        wanted=contents.read(directory) if declared.directory else {},
        model=_model(applications, declared.name, directory, files, effective),
        own=own,
        effective=effective,
    )


def difference(state: State, prepared: Prepared, observed: Observed) -> Difference:
    """What would be changed."""
    project = state.project_directory(observed.name)
    made = definition(state, observed.name, prepared.files)
    return Difference(
        files=_changes(state, prepared, project),
        properties=_differing(prepared, state, observed),
        definition=not observed.record or observed.record.definition.files != made.files,
    )


def carry_out(applications: Applications, prepared: Prepared, found: Difference, observed: Observed) -> Record:
    """Make the project directory, the properties and the record; what changed takes effect at the next start.
    Interrupted anywhere, the same again goes on from there."""
    state, app = applications.state, observed.name
    earlier = read_provisioned(state, app)
    anew = _readers(prepared, found.files)
    write_provisioned(state, app, replace(earlier, pending=True, anew=tuple(sorted({*earlier.anew, *anew}))))
    if prepared.source:
        contents.carry_out(found.files, prepared.source, state.project_directory(app))
    properties.write(state.properties_file(app), prepared.effective)
    record = _record(state, app, prepared, observed.record)
    state.write_record(record)
    if prepared.source:
        wanted = Provisioned(prepared.wanted, True, read_provisioned(state, app).anew)
        write_provisioned(state, app, wanted)
    return record


def definition(state: State, app: str, files: Sequence[str]) -> Definition:
    """How Compose is told about an application whose project directory the grid made."""
    directory = state.project_directory(app)
    override = state.override_file(app)
    return Definition(
        name=app,
        directory=directory,
        files=(*(directory / name for name in files), *([override] if override.exists() else [])),
        env_files=(*_own_environment(directory), state.properties_file(app)),
    )


def unmentioned(prepared: Prepared) -> list[str]:
    """The application's own properties that no file of it names: probably misspelt."""
    if not prepared.source or not prepared.own:
        return []
    files = (prepared.source / path for path, entry in prepared.wanted.items() if entry.kind == contents.FILE)
    read = (path for path in files if path.suffix in (".yaml", ".yml", ".env") or path.name == ".env")
    text = b"\n".join(path.read_bytes() for path in read)
    return sorted(name for name in prepared.own if name.encode() not in text and not name.startswith("COMPOSE_"))


def _model(
    applications: Applications, app: str, directory: Path, files: Sequence[str], effective: Mapping[str, str]
) -> Mapping[str, Any]:
    with _environment_file(effective) as environment:
        staged = Definition(
            name=app,
            directory=directory,
            files=tuple(directory / name for name in files),
            env_files=(*_own_environment(directory), environment),
        )
        model = applications.engine.resolve(staged)
        wishes(model)
        return model


@contextmanager
def _environment_file(effective: Mapping[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mig-grid-") as directory:
        path = Path(directory) / "properties.env"
        properties.write(path, effective)
        yield path


def _own_environment(directory: Path) -> Iterator[Path]:
    if (directory / ".env").is_file():
        yield directory / ".env"


def _files(declared: Declared, present: Definition | None) -> tuple[str, ...]:
    """The Compose files of an application whose files stay, relative to its directory."""
    if declared.directory or not present:
        return ()
    below = (path for path in present.files if path.is_relative_to(present.directory))
    return tuple(str(path.relative_to(present.directory)) for path in below)


def _record(state: State, app: str, prepared: Prepared, earlier: Record | None) -> Record:
    made = definition(state, app, prepared.files)
    if earlier:
        kept = replace(made, services=earlier.definition.services, scale=earlier.definition.scale)
        return replace(earlier, definition=kept, properties=prepared.own)
    return Record(name=app, managed=True, definition=made, properties=prepared.own, stopped=True)


def _changes(state: State, prepared: Prepared, project: Path) -> Changes:
    if not prepared.source:
        return Changes()
    earlier = read_provisioned(state, project.parent.name).contents
    data = _data(prepared.model, prepared.source)
    present = contents.look(project, {*prepared.wanted, *earlier, *data})
    return contents.plan(prepared.wanted, earlier, present, data)


def _differing(prepared: Prepared, state: State, observed: Observed) -> tuple[str, ...]:
    """Names of the properties whose value is another one, in what is declared or in what it amounts to here."""
    path = state.properties_file(observed.name)
    in_effect = properties.read(path) if path.exists() else {}
    own = observed.record.properties if observed.record else {}
    return tuple(sorted({*_different(in_effect, prepared.effective), *_different(own, prepared.own)}))


def _different(one: Mapping[str, str], other: Mapping[str, str]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def _data(model: Mapping[str, Any], directory: Path) -> set[str]:
    """The paths below the directory that containers may write to."""
    return {path for _, path, read_only in _binds(model, directory) if not read_only}


def _readers(prepared: Prepared, changes: Changes) -> set[str]:
    """The services that read a changed file when they start."""
    if not prepared.source:
        return set()
    changed = (*changes.written, *changes.removed)
    sources = [(service, path) for service, path, _ in _binds(prepared.model, prepared.source)]
    sources += _attached(prepared.model, prepared.source)
    readers = {service for service, path in sources if any(_at_or_below(name, path) for name in changed)}
    return readers - rereading(prepared.model)


def _binds(model: Mapping[str, Any], directory: Path) -> Iterator[tuple[str, str, bool]]:
    """The bind mounts from below the directory: service, path relative to it, whether it is read-only."""
    for service, details in model.get("services", {}).items():
        for mount in details.get("volumes") or ():
            path = Path(mount.get("source") or "")
            if mount.get("type") == "bind" and path.is_relative_to(directory):
                yield service, str(path.relative_to(directory)), bool(mount.get("read_only"))


def _attached(model: Mapping[str, Any], directory: Path) -> Iterator[tuple[str, str]]:
    """The secrets and configs that are files below the directory: service, path relative to it."""
    for kind in ("secrets", "configs"):
        every = model.get(kind) or {}
        for service, details in model.get("services", {}).items():
            for used in details.get(kind) or ():
                path = Path(every.get(used.get("source"), {}).get("file") or "/")
                if path.is_relative_to(directory):
                    yield service, str(path.relative_to(directory))


def _at_or_below(name: str, path: str) -> bool:
    return path == "." or name == path or name.startswith(f"{path}/")


def lasting_services(model: Mapping[str, Any]) -> frozenset[str]:
    """The services that have containers when the application runs; those of a profile may or may not have."""
    return frozenset(name for name, details in model.get("services", {}).items() if _lasts(details))


def _lasts(service: Mapping[str, Any]) -> bool:
    replicas = service.get("deploy", {}).get("replicas", service.get("scale", 1))
    return bool(replicas) and not service.get("profiles")
