"""What has to be done so that the users are what a list of entries asks for: decided here, done elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Literal, NamedTuple

from .errors import EntriesError, FieldError, shown
from .identity import Name, default_alias
from .passwords import NO_POLICY, check_policy, hash_password, verify
from .store import Credentials, User
from .undo import Step
from .users import ALL_METHODS, ServiceEntry, UserEntry, alias_taken

Action = Literal["created", "changed", "renamed", "suspended", "resumed", "removed"]

_COMPARED = {
    "distinguished_name": "client_id",
    "alias": "alias",
    "password": "password_hash",
    "public_keys": "public_keys",
    "state": "suspended",
    "expire": "expire",
    "comment": "comment",
    "login_methods": "login_methods",
    "services": "services",
}


class UpdatePassword(StrEnum):
    """Whose password is set: that of a new user only, or that of every user whose entry has one."""

    ON_CREATE = "on_create"
    ALWAYS = "always"


@dataclass(frozen=True)
class Request:
    """What the operator asks for: the entries, and how to take them."""

    entries: Sequence[UserEntry]
    purge: bool = False
    update_password: UpdatePassword = UpdatePassword.ON_CREATE
    password_policy: str = NO_POLICY


@dataclass(frozen=True)
class Observed:
    """What there is, as far as the request is about it."""

    users: Mapping[str, User] = field(default_factory=dict)
    """By client id: the users that entries name, or all if others are to be purged."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """Client ids by alias."""
    homes: Set[str] = frozenset()
    """Names of home directories that exist."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Homes by alias."""
    host_accounts: Set[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """What happens to one user. `fields` are names, `before` and `after` texts for a diff: nothing here is secret."""

    client_id: str
    alias: str
    action: Action
    fields: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """The changes as the operator sees them, and what they are for the store and the homes."""

    changes: list[Change]
    removed: list[str]
    stored: list[User]
    renamed: dict[str, str]
    steps: list[Step]
    erased: list[Name]


class _Transition(NamedTuple):
    """One user from `before` to `after`; None = there is no such user. `entry` is None for one who is purged."""

    entry: UserEntry | None
    before: User | None
    after: User | None


def plan(request: Request, observed: Observed, today: date) -> Plan:
    """Decide all changes. Raises EntriesError with a line for each entry that cannot be realised."""
    transitions, problems = _transitions(request, observed, today)
    problems += _alias_problems(transitions, observed)
    if problems:
        raise EntriesError(problems)
    changed = [(transition, change) for transition in transitions if (change := _change(transition, observed))]
    moved = [transition for transition, _ in changed]
    return Plan(
        changes=[change for _, change in changed],
        removed=[before.client_id for _, before, _ in moved if before],
        stored=[after for _, _, after in moved if after],
        renamed={
            before.client_id: after.client_id
            for _, before, after in moved
            if before and after and before.client_id != after.client_id
        },
        steps=list(_steps(moved, observed)),
        erased=[entry.name for entry, _, _ in moved if entry and entry.remove_data],
    )


def _transitions(request: Request, observed: Observed, today: date) -> tuple[list[_Transition], list[str]]:
    transitions, problems = [], []
    for entry in request.entries:
        try:
            transitions.append(_transition(entry, request, observed, today))
        except FieldError as error:
            problems.append(f"{entry.where}: {error}")
    if request.purge:
        named = {before.client_id for _, before, _ in transitions if before}
        transitions += (
            _Transition(None, user, None) for client_id, user in observed.users.items() if client_id not in named
        )
    return transitions, problems


def _transition(entry: UserEntry, request: Request, observed: Observed, today: date) -> _Transition:
    before = observed.users.get(entry.client_id)
    if entry.state == "absent":
        return _Transition(entry, before, None)
    previous = observed.users.get(entry.previous.client_id) if entry.previous else None
    if previous:
        _check_rename(previous, before, entry, observed)
    before = before or previous
    start = before or User(client_id=entry.client_id, client_dir="", alias="", created=today)
    after = replace(
        start,
        client_id=entry.client_id,
        client_dir=entry.name.client_dir,
        alias=_alias(entry, before),
        password_hash=_password_hash(entry, start.password_hash, before is None, request),
        public_keys=start.public_keys if entry.public_keys is None else entry.public_keys,
        suspended=entry.state == "suspended",
        expire=entry.expire.day if entry.expire else start.expire,
        comment=start.comment if entry.comment is None else entry.comment,
        login_methods=start.login_methods if entry.login_methods is None else entry.login_methods,
        services=tuple(_services(entry, start, before is None, request)),
    )
    return _Transition(entry, before, after)


def _check_rename(previous: User, present: User | None, entry: UserEntry, observed: Observed) -> None:
    if present:
        raise FieldError(
            "previous_distinguished_name",
            f"{shown(previous.client_id)} is a user, and so is {shown(present.client_id)}; remove one of them first",
        )
    if {previous.client_dir, entry.name.client_dir} <= observed.homes:
        raise FieldError(
            "previous_distinguished_name",
            f"the home cannot become {entry.name.client_dir}: that directory exists, with the data of an earlier "
            "user; remove it first with 'state: absent' and 'remove_data: true' for that name",
        )


def _alias(entry: UserEntry, before: User | None) -> str:
    if entry.alias:
        return entry.alias
    if before is None or (before.client_id != entry.client_id and before.alias == before.name.email.lower()):
        return default_alias(entry.name)
    return before.alias


def _services(entry: UserEntry, start: User, is_new: bool, request: Request) -> Iterator[Credentials]:
    """What the user has at each service, without what says nothing."""
    for service in sorted({*entry.services, *(own.service for own in start.services)}):
        own = start.own_credentials(service)
        if wanted := entry.services.get(service):
            own = _credentials(wanted, own, is_new, request)
        if own != Credentials(service):
            yield own


def _credentials(wanted: ServiceEntry, own: Credentials, is_new: bool, request: Request) -> Credentials:
    try:
        password_hash = _password_hash(wanted, own.password_hash, is_new, request)
    except FieldError as error:
        raise FieldError(f"services.{own.service}.{error.field}", error.problem) from None
    return Credentials(
        own.service,
        password_hash,
        own.public_keys if wanted.public_keys is None else wanted.public_keys,
        own.enabled if wanted.enabled is None else wanted.enabled,
    )


def _password_hash(entry: UserEntry | ServiceEntry, present: str, is_new: bool, request: Request) -> str:
    if not is_new and request.update_password is UpdatePassword.ON_CREATE:
        return present
    if entry.password_hash is not None:
        return entry.password_hash
    if entry.password is None or (present and verify(entry.password, present)):
        return present
    check_policy(entry.password, request.password_policy)
    return hash_password(entry.password)


def _alias_problems(transitions: Iterable[_Transition], observed: Observed) -> Iterator[str]:
    """An alias must belong to one user when all is done, and to none of the host's own accounts."""
    free = {
        before.client_id for _, before, after in transitions if before and (not after or after.alias != before.alias)
    }
    claimed: dict[str, str] = {}
    for entry, before, after in transitions:
        if not entry or not after:
            continue
        alias, kept = after.alias, before is not None and before.alias == after.alias
        owner = observed.owners.get(alias)
        if owner is not None and not kept and owner not in free:
            yield f"{entry.where}: {alias_taken(alias, owner)}"
        elif claimed.setdefault(alias, entry.where) is not entry.where:
            yield f"{entry.where}: {alias_taken(alias, claimed[alias])}"
        elif not kept and alias in observed.host_accounts:
            error = FieldError("alias", f"{shown(alias)} is a system account of this host; give another alias")
            yield f"{entry.where}: {error}"


def _change(transition: _Transition, observed: Observed) -> Change | None:
    entry, before, after = transition
    fields = tuple(_changed_fields(transition, observed))
    if not fields and (before is None) == (after is None):
        return None
    user = after or before
    return Change(
        client_id=user.client_id if user else entry.client_id if entry else "",
        alias=user.alias if user else "",
        action=_action(before, after),
        fields=fields,
        before=_described(before),
        after=_described(after, before),
    )


def _changed_fields(transition: _Transition, observed: Observed) -> Iterator[str]:
    entry, before, after = transition
    if after is None:
        if entry and entry.remove_data and entry.name.client_dir in observed.homes:
            yield "data"
        return
    for name, attribute in _COMPARED.items():
        if getattr(after, attribute) != getattr(before, attribute, None) and (before or getattr(after, attribute)):
            yield name
    if before == after and not _is_at_home(after, observed):
        yield "home"


def _is_at_home(user: User, observed: Observed) -> bool:
    return user.client_dir in observed.homes and observed.links.get(user.alias) == user.client_dir


def _action(before: User | None, after: User | None) -> Action:
    if after is None:
        return "removed"
    if before is None:
        return "created"
    if before.client_id != after.client_id:
        return "renamed"
    if before.suspended != after.suspended:
        return "suspended" if after.suspended else "resumed"
    return "changed"


def _described(user: User | None, earlier: User | None = None) -> str:
    """The user as text; of a password only whether it is another one than `earlier`."""
    if user is None:
        return ""
    lines = [
        f"client_id: {user.client_id}",
        f"alias: {user.alias}",
        f"state: {'suspended' if user.suspended else 'present'}",
        f"expire: {user.expire or 'never'}",
        f"comment: {user.comment}",
        f"login methods: {', '.join(user.login_methods) or ALL_METHODS}",
        f"password: {_password_state(user.password_hash, earlier.password_hash if earlier else None)}",
        *(f"public key: {key}" for key in user.public_keys),
        *(line for own in user.services for line in _described_service(own, earlier)),
    ]
    return "\n".join(lines) + "\n"


def _described_service(own: Credentials, earlier: User | None) -> Iterator[str]:
    before = earlier.own_credentials(own.service).password_hash if earlier else None
    yield f"{own.service} access: {'yes' if own.enabled else 'no'}"
    yield f"{own.service} password: {_password_state(own.password_hash, before)}"
    yield from (f"{own.service} public key: {key}" for key in own.public_keys)


def _password_state(password_hash: str, before: str | None) -> str:
    if before is not None and password_hash != before:
        return "changed" if password_hash else "removed"
    return "set" if password_hash else "none"


def _steps(moved: Sequence[_Transition], observed: Observed) -> Iterator[Step]:
    """Free aliases first and give them last, so that users can swap theirs."""
    freed = set()
    for _, before, after in moved:
        if before and (after is None or after.alias != before.alias) and before.alias in observed.links:
            freed.add(before.alias)
            yield Step(True, before.alias, observed.links[before.alias], None)
    for _, before, after in moved:
        if after:
            yield from _home_steps(before, after, observed)
    for _, _, after in moved:
        if after:
            led_to = None if after.alias in freed else observed.links.get(after.alias)
            if led_to != after.client_dir:
                yield Step(True, after.alias, led_to, after.client_dir)


def _home_steps(before: User | None, after: User, observed: Observed) -> Iterator[Step]:
    if before and before.client_dir != after.client_dir and before.client_dir in observed.homes:
        yield Step(False, after.client_dir, before.client_dir, after.client_dir)
    elif after.client_dir not in observed.homes:
        yield Step(False, after.client_dir, None, None)
