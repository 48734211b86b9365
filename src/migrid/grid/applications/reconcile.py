"""Make the applications of a grid what a list of declarations asks for: observe, decide, then carry out one by one."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import DefinitionError, GridError, LockedError
from ..state import Record
from . import provisioning
from .declared import Declared, Wanted
from .provisioned import read_provisioned
from .provisioning import Difference, Prepared
from .standing import Observed, Standing, explained, sentence, standing
from .verbs import Applications, refuse_while_held

_HELD = (Standing.MOVING, Standing.INTERRUPTED)


class Action(enum.Enum):
    """What is done with an application."""

    NONE = "none"  # it is as declared
    PROVISION = "provision"
    CHANGE = "change"  # its files or properties
    START = "start"
    STOP = "stop"
    DESTROY = "destroy"
    LEAVE = "leave"  # a move has the say: it moved away, or is on its way


@dataclass(frozen=True)
class Change:
    """What is done with one application, or would be. `fields` names what differs, `note` says what is worth saying,
    `before` and `after` are texts for a diff: nothing here is secret."""

    name: str
    action: Action
    fields: tuple[str, ...] = ()
    standing: str = ""
    note: str = ""
    before: str = ""
    after: str = ""
    moved_to: tuple[str, str] | None = None

    @property
    def changed(self) -> bool:
        return self.action not in (Action.NONE, Action.LEAVE)


@dataclass(frozen=True)
class _Plan:
    """A change and what is needed to carry it out. `run` is whether it is started or stopped then, None for neither."""

    change: Change
    observed: Observed
    prepared: Prepared | None = None
    difference: Difference | None = None
    run: bool | None = None


def reconcile(applications: Applications, declared: Sequence[Declared], dry_run: bool = False) -> list[Change]:
    """Provision, change, start, stop and destroy applications, in the order of the declarations.

    Nothing is changed when a declaration cannot be realised; `dry_run` changes nothing at all and says what would be.
    Raises DefinitionError with a line for each wrong declaration, and what the verbs raise.
    """
    plans, problems = [], []
    for each in declared:
        try:
            plans.append(_decide(applications, each))
        except GridError as error:
            problems.append(f"{each.name}: {error}")
    if problems:
        raise DefinitionError("\n".join(problems))
    if dry_run:
        return [plan.change for plan in plans]
    return [_realise(applications, each, plan) for each, plan in zip(declared, plans, strict=True)]


def expected_on_no_grid(declared: Sequence[Declared]) -> list[Change]:
    """What would be done on a host that is to become a grid."""
    return [
        Change(each.name, Action.PROVISION, ("state",), standing="running", after="state: running\n")
        for each in declared
        if each.state is not Wanted.ABSENT
    ]


def _realise(applications: Applications, declared: Declared, plan: _Plan) -> Change:
    if not plan.change.changed:
        return plan.change
    with applications.state.exclusive_now(declared.name):
        plan = _decide(applications, declared)
        _carry_out(applications, plan)
    if plan.run:
        applications.wait_until_up(declared.name)
    return replace(plan.change, standing=explained(applications.observe(declared.name)))


def _carry_out(applications: Applications, plan: _Plan) -> None:
    if plan.change.action is Action.DESTROY:
        applications.tear_down(plan.observed)
        return
    observed = plan.observed
    if plan.prepared and plan.difference:
        record = provisioning.carry_out(applications, plan.prepared, plan.difference, observed)
        observed = replace(observed, record=record, definition=record.definition)
        if not plan.run:
            applications.engine.build(record.definition)
    if plan.run and observed.definition:
        applications.bring_up(observed, observed.definition)
    elif plan.run is False:
        applications.bring_down(observed, None)


def _decide(applications: Applications, declared: Declared) -> _Plan:
    observed = applications.observe(declared.name)
    if standing(observed) is Standing.MOVED:
        return _leave(observed)
    if declared.state is Wanted.ABSENT:
        return _removal(observed)
    _refuse_unmanaged(observed, declared)
    prepared = provisioning.prepare(applications, declared, observed)
    difference = provisioning.difference(applications.state, prepared, observed)
    run = _run(applications, declared, prepared, difference, observed)
    plan = _Plan(_change(observed, prepared, difference, run), observed, prepared, difference, run)
    return _leave(observed) if plan.change.changed and standing(observed) in _HELD else plan


def _leave(observed: Observed) -> _Plan:
    there = (observed.right.target_grid, observed.right.target_app)
    change = Change(
        name=observed.name,
        action=Action.LEAVE,
        standing=explained(observed),
        note=f"{sentence(observed)}; nothing was changed",
        moved_to=there if standing(observed) is Standing.MOVED else None,
    )
    return _Plan(change, observed)


def _removal(observed: Observed) -> _Plan:
    if not observed.known:
        return _Plan(Change(observed.name, Action.NONE, standing="absent"), observed)
    refuse_while_held(observed)
    before = "\n".join(_described(observed)) + "\n"
    return _Plan(Change(observed.name, Action.DESTROY, standing="absent", before=before), observed)


def _refuse_unmanaged(observed: Observed, declared: Declared) -> None:
    if observed.definition and not observed.managed and declared.directory:
        raise DefinitionError(
            f"a Compose project of this name was started by hand from {observed.definition.directory}; "
            "remove it there (docker compose down), or give the application another name"
        )
    if standing(observed) in _HELD and declared.state is Wanted.ABSENT:
        raise LockedError(sentence(observed))


def _run(
    applications: Applications, declared: Declared, prepared: Prepared, difference: Difference, observed: Observed
) -> bool | None:
    wanted = {Wanted.STARTED: True, Wanted.STOPPED: False}.get(declared.state)
    if wanted is False:
        return False if observed.running or not _stopped(observed.record) else None
    pending = bool(difference) or read_provisioned(applications.state, declared.name).pending
    if wanted is None:
        return True if pending and observed.running else None
    complete = provisioning.lasting_services(prepared.model) <= {each.service for each in observed.containers}
    return None if observed.up and complete and not pending else True


def _stopped(record: Record | None) -> bool:
    return record is None or record.stopped


def _change(observed: Observed, prepared: Prepared, difference: Difference, run: bool | None) -> Change:
    return Change(
        name=observed.name,
        action=_action(observed, difference, run),
        fields=tuple(_fields(difference, run)),
        standing=explained(observed) if run is None else ("running" if run else "stopped"),
        note=_note(prepared),
        before="\n".join([*_described(observed), ""]) if observed.known else "",
        after="\n".join([*_expected(observed, prepared, difference, run), ""]),
    )


def _action(observed: Observed, difference: Difference, run: bool | None) -> Action:
    if not observed.known:
        return Action.PROVISION
    if difference:
        return Action.CHANGE
    return Action.NONE if run is None else Action.START if run else Action.STOP


def _fields(difference: Difference, run: bool | None) -> Iterator[str]:
    yield from (f"file {path}" for path in sorted((*difference.files.written, *difference.files.removed)))
    yield from (f"property {name}" for name in difference.properties)
    if difference.definition:
        yield "Compose files"
    if run is not None:
        yield "state"


def _note(prepared: Prepared) -> str:
    names = provisioning.unmentioned(prepared)
    return f"no file mentions the property {', '.join(names)}; is it misspelt?" if names else ""


def _described(observed: Observed) -> Iterator[str]:
    yield f"state: {explained(observed)}"
    if observed.record:
        yield from (f"property {name}: set" for name in sorted(observed.record.properties))


def _expected(observed: Observed, prepared: Prepared, difference: Difference, run: bool | None) -> Iterator[str]:
    yield f"state: {explained(observed) if run is None else ('running' if run else 'stopped')}"
    earlier = observed.record.properties if observed.record else {}
    for name in sorted(prepared.own):
        yield f"property {name}: {'changed' if name in earlier and name in difference.properties else 'set'}"
    yield from (f"file {path}: written" for path in difference.files.written)
    yield from (f"file {path}: removed" for path in difference.files.removed)
