"""Entries: what an operator asks for, checked completely before anything is done.

One entry describes one user. A key that is left out (or null) leaves that property of an existing
user as it is; a new user gets its default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .errors import EntriesError, FieldError, shown
from .identity import ATTRIBUTES, Name, check_alias, check_text, parse_client_id
from .keys import parse_public_key
from .logins.attempt import LOGIN_METHODS, Service
from .passwords import check_hash

NAME_FIELDS = tuple(attribute.field for attribute in ATTRIBUTES)
STATES = ("present", "absent", "suspended")
FIELDS = (
    "distinguished_name",
    *NAME_FIELDS,
    "alias",
    "password",
    "password_hash",
    "public_keys",
    "state",
    "expire",
    "comment",
    "login_methods",
    "services",
    "previous_distinguished_name",
    "remove_data",
)
SERVICE_FIELDS = ("password", "password_hash", "public_keys", "enabled")
ALL_METHODS = "all"
_COMMENT_CHARACTERS = 1024
_KEYS_PER_USER = 100
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Expiry:
    """When a user's access ends: from 00:00 UTC of `day` on, or never."""

    day: date | None


@dataclass(frozen=True, kw_only=True)
class ServiceEntry:
    """What an entry says about one service; None = not asked for. Not printable: its repr shows no secret."""

    password: str | None = None
    password_hash: str | None = None
    public_keys: tuple[str, ...] | None = None
    enabled: bool | None = None

    def __repr__(self) -> str:
        return "<ServiceEntry>"


@dataclass(frozen=True, kw_only=True)
class UserEntry:
    """A checked entry; None = not asked for. Not printable: its repr shows no secret."""

    where: str
    name: Name
    alias: str | None = None
    password: str | None = None
    password_hash: str | None = None
    public_keys: tuple[str, ...] | None = None
    state: str = "present"
    expire: Expiry | None = None
    comment: str | None = None
    login_methods: tuple[str, ...] | None = None
    services: Mapping[str, ServiceEntry] = field(default_factory=dict)
    previous: Name | None = None
    remove_data: bool = False

    def __repr__(self) -> str:
        return f"<UserEntry {self.where}>"

    @property
    def client_id(self) -> str:
        return self.name.client_id

    @classmethod
    def from_dict(cls, entry: Mapping[str, object], where: str) -> UserEntry:
        """The entry that `entry` spells out; `where` is how errors name it.

        Raises EntriesError with all that is wrong with it.
        """
        problems: list[str] = []
        values = _read(entry, problems)
        if not problems:
            try:
                return _checked(cls(where=where, **values))
            except FieldError as error:
                problems.append(str(error))
        raise EntriesError(f"{where}: {problem}" for problem in problems)


def parse_entries(entries: Iterable[object], source: str = "mig_users") -> list[UserEntry]:
    """All entries of a list; errors call the third one `mig_users[2] (Ada Example)`.

    Raises EntriesError with everything that is wrong with any of them, including two entries
    for one user and two users of one alias.
    """
    parsed: list[UserEntry] = []
    problems: list[str] = []
    for index, entry in enumerate(entries):
        where = _where(source, index, entry)
        if not isinstance(entry, Mapping):
            problems.append(f"{where}: {shown(entry)} is not a mapping of fields of a user")
            continue
        try:
            parsed.append(UserEntry.from_dict(entry, where))
        except EntriesError as error:
            problems += error.problems
    problems += _repeated(parsed)
    if problems:
        raise EntriesError(problems)
    return parsed


def alias_taken(alias: str, owner: str) -> FieldError:
    """The error for an alias that `owner` has too."""
    return FieldError("alias", f"{shown(alias)} is also that of {owner}; give another alias")


def _where(source: str, index: int, entry: object) -> str:
    place = f"{source}[{index}]"
    if not isinstance(entry, Mapping):
        return place
    label = next((entry[key] for key in ("full_name", "distinguished_name", "email") if entry.get(key)), None)
    return f"{place} ({shown(label)[1:-1]})" if isinstance(label, str) else place


def _repeated(entries: list[UserEntry]) -> list[str]:
    problems = []
    by_id: dict[str, str] = {}
    for entry in entries:
        for client_id in filter(None, (entry.client_id, _previous_id(entry))):
            first = by_id.setdefault(client_id, entry.where)
            if first is not entry.where:
                problems.append(f"{entry.where}: names the same user as {first}: {client_id}")
    by_alias: dict[str, str] = {}
    for entry in entries:
        alias = entry.alias or entry.name.email.lower()
        first = entry.where if entry.state == "absent" else by_alias.setdefault(alias, entry.where)
        if first is not entry.where:
            problems.append(f"{entry.where}: {alias_taken(alias, first)}")
    return problems


def _previous_id(entry: UserEntry) -> str | None:
    return entry.previous.client_id if entry.previous else None


def _read(entry: Mapping[str, object], problems: list[str]) -> dict[str, Any]:
    """The typed values of an entry's fields, by the names that UserEntry has for them."""
    given = {key: value for key, value in entry.items() if value is not None}
    values: dict[str, Any] = {}
    try:
        values["name"] = _name(given)
    except FieldError as error:
        problems.append(str(error))
    for key, value in given.items():
        try:
            if key in _READERS:
                attribute, reader = _READERS[key]
                values[attribute] = reader(key, value)
            elif key not in FIELDS:
                raise FieldError(str(key), f"is unknown{_suggestion(key, FIELDS)}")
        except FieldError as error:
            problems.append(str(error))
    return values


def _suggestion(key: object, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(key), known, 1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"


def _name(given: Mapping[str, object]) -> Name:
    parts = {field: _text(field, given[field]) for field in NAME_FIELDS if field in given}
    if "distinguished_name" not in given:
        parts.setdefault("full_name", "")
        return Name(email=parts.pop("email", ""), **parts)
    name = parse_client_id(_text("distinguished_name", given["distinguished_name"]))
    if parts:
        raise FieldError("distinguished_name", f"says the same as {', '.join(parts)}; give one or the other")
    return name


def _checked(entry: UserEntry) -> UserEntry:
    """The entry, if its fields agree with each other."""
    if entry.password is not None and entry.password_hash is not None:
        raise FieldError("password_hash", "excludes 'password'; give one of them")
    if entry.remove_data and entry.state != "absent":
        raise FieldError("remove_data", "needs 'state: absent'")
    if entry.previous == entry.name:
        raise FieldError("previous_distinguished_name", "is the user's present name; leave it out")
    if entry.previous and entry.state == "absent":
        raise FieldError("previous_distinguished_name", "makes no sense with 'state: absent'")
    return entry


def _text(field: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        raise FieldError(field, f"{value} is not text; YAML reads an unquoted NO or YES so, put it in quotes")
    raise FieldError(field, f"{_kind(value)} is not text; put it in quotes")


def _secret(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise FieldError(field, f"{_kind(value)} is not text; put it in quotes")
    if not value:
        raise FieldError(field, "is empty; leave it out if the user has no password")
    return value


def _kind(value: object) -> str:
    kinds = {int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(value), f"a value of type {type(value).__name__}")


def _hash(field: str, value: object) -> str:
    return check_hash(_secret(field, value))


def _hash_or_none(field: str, value: object) -> str:
    return "" if value == "" else _hash(field, value)


def _alias(field: str, value: object) -> str:
    return check_alias(_text(field, value))


def _comment(field: str, value: object) -> str:
    return check_text(field, _text(field, value), _COMMENT_CHARACTERS)


def _state(field: str, value: object) -> str:
    if value not in STATES:
        raise FieldError(field, f"{shown(value)} is not a state; write {', '.join(STATES)}")
    return str(value)


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise FieldError(field, f"{shown(value)} is not true or false")
    return value


def _previous(field: str, value: object) -> Name:
    try:
        return parse_client_id(_text(field, value))
    except FieldError as error:
        raise FieldError(field, error.problem) from None


def _expire(field: str, value: object) -> Expiry:
    if value == "":
        return Expiry(None)
    text = value.isoformat() if isinstance(value, date) else str(value)
    try:
        if _DATE.fullmatch(text):
            return Expiry(date.fromisoformat(text))
    except ValueError:
        pass
    raise FieldError(field, f"{shown(text)} is not a date; write YYYY-MM-DD")


def _keys(field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FieldError(field, "is not a list of keys")
    if len(value) > _KEYS_PER_USER:
        raise FieldError(field, f"has {len(value)} keys; at most {_KEYS_PER_USER} are accepted")
    return tuple(dict.fromkeys(parse_public_key(_text(field, key)) for key in value))


def _login_methods(field: str, value: object) -> tuple[str, ...]:
    if value == ALL_METHODS:
        return ()
    if not isinstance(value, list) or not value:
        raise FieldError(field, f"is no list of methods; write one, or '{ALL_METHODS}' for all that the site enables")
    for method in value:
        if method not in LOGIN_METHODS:
            raise FieldError(field, f"{shown(method)} is not a method; write some of {', '.join(LOGIN_METHODS)}")
    return tuple(method for method in LOGIN_METHODS if method in value)


def _services(field: str, value: object) -> dict[str, ServiceEntry]:
    if not isinstance(value, Mapping):
        raise FieldError(field, "is not a mapping of services")
    for name in value:
        if name not in list(Service):
            raise FieldError(field, f"{shown(name)} is not a service; write {', '.join(Service)}")
    return {name: _service_entry(f"{field}.{name}", given) for name, given in value.items() if given is not None}


def _service_entry(field: str, value: object) -> ServiceEntry:
    if not isinstance(value, Mapping):
        raise FieldError(field, f"is not a mapping of {', '.join(SERVICE_FIELDS)}")
    values: dict[str, Any] = {}
    for key, given in value.items():
        if key not in _SERVICE_READERS:
            raise FieldError(f"{field}.{key}", f"is unknown{_suggestion(key, SERVICE_FIELDS)}")
        if given is not None:
            values[key] = _nested(field, key, given)
    if {"password", "password_hash"} <= values.keys():
        raise FieldError(f"{field}.password_hash", "excludes 'password'; give one of them")
    return ServiceEntry(**values)


def _nested(field: str, key: str, value: object) -> object:
    try:
        return _SERVICE_READERS[key](key, value)
    except FieldError as error:
        raise FieldError(f"{field}.{key}", error.problem) from None


_SERVICE_READERS: dict[str, Callable[[str, object], object]] = {
    "password": _secret,
    "password_hash": _hash_or_none,
    "public_keys": _keys,
    "enabled": _flag,
}
_READERS: dict[str, tuple[str, Callable[[str, object], object]]] = {
    "alias": ("alias", _alias),
    "password": ("password", _secret),
    "password_hash": ("password_hash", _hash),
    "public_keys": ("public_keys", _keys),
    "state": ("state", _state),
    "expire": ("expire", _expire),
    "comment": ("comment", _comment),
    "login_methods": ("login_methods", _login_methods),
    "services": ("services", _services),
    "previous_distinguished_name": ("previous", _previous),
    "remove_data": ("remove_data", _flag),
}
