"""The commands of `mig` that create, change and remove a user."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from shlex import quote

from ..access import as_account
from ..configuration import Configuration, load
from ..errors import MigError
from ..identity import Name, parse_client_id
from ..logins import second_factor
from ..passwords import check_policy
from ..plan import UpdatePassword
from ..reconcile import Outcome, reconcile
from ..store import User
from ..users import NAME_FIELDS, UserEntry
from . import asking
from .arguments import given_name, given_properties, given_services
from .listing import find_user

QUESTIONS = {
    "full_name": "Full Name",
    "organization": "Organization",
    "province": "State",
    "country": "2-letter Country Code",
    "email": "Email",
    "comment": "Comment",
}
"""What createuser asks and takes as positional arguments, in the order of MiG's createuser.py."""

REQUIRED = ("full_name", "email")
PLACEHOLDER = {"full_name": "A", "email": "a@example.org"}


def create_user(args: argparse.Namespace) -> int:
    """`mig createuser`."""
    site = load(args.conf)
    entry = _identity(args) | given_properties(args)
    if asking.at_terminal():
        entry = _ask_for_missing(entry, site)
    _refuse_missing(entry)
    entry = _with_service_passwords(entry, args, site)
    wanted = UserEntry.from_dict(entry, _label(entry))
    if find_user(site, wanted.client_id):
        raise MigError(f"user {wanted.client_id} exists; to change it: mig edituser -i {quote(wanted.client_id)}")
    _tell(_apply(site, wanted), wanted)
    return 0


def edit_user(args: argparse.Namespace) -> int:
    """`mig edituser`."""
    site = load(args.conf)
    user = _existing(site, args.user)
    entry = _renamed(user, given_name(args)) | given_properties(args)
    entry["state"] = args.state or ("suspended" if user.suspended else "present")
    if args.ask_password:
        entry["password"] = asking.ask_password(lambda password: check_policy(password, site.password_policy))
    entry = _with_service_passwords(entry, args, site)
    wanted = UserEntry.from_dict(entry, _label(entry))
    done = _apply(site, wanted)
    if args.reset_twofactor:
        done.append(_without_second_factor(site, wanted))
    _tell(done, wanted)
    return 0


def publish_users(args: argparse.Namespace) -> int:
    """`mig publishusers`."""
    for refusal in reconcile(load(args.conf), []).refused:
        print(f"Warning: {refusal}")
    return 0


def delete_user(args: argparse.Namespace) -> int:
    """`mig deleteuser`."""
    site = load(args.conf)
    user = find_user(site, args.user)
    if not user and not args.remove_data:
        raise _unknown(args.user)
    client_id = user.client_id if user else parse_client_id(args.user).client_id
    if not args.yes and not _confirmed(site, client_id, args.remove_data):
        print("Nothing was changed.")
        return 1
    entry = {"distinguished_name": client_id, "state": "absent", "remove_data": args.remove_data}
    wanted = UserEntry.from_dict(entry, client_id)
    _tell(_apply(site, wanted), wanted)
    return 0


def _identity(args: argparse.Namespace) -> dict[str, object]:
    """The fields of the name and the comment, as positional arguments, flags or a distinguished name give them."""
    if len(args.fields) > len(QUESTIONS):
        raise MigError(
            "a password in the command line can be read by everyone on this host; leave it out to be asked, "
            "or use --password-file or --password-stdin"
        )
    given: dict[str, object] = dict(zip(QUESTIONS, args.fields, strict=False))
    if args.distinguished_name:
        given["distinguished_name"] = args.distinguished_name
    return given | given_name(args)


def _ask_for_missing(entry: dict[str, object], site: Configuration) -> dict[str, object]:
    if "distinguished_name" in entry:
        entry = {**dict.fromkeys(NAME_FIELDS), **entry}
    missing = [key for key in QUESTIONS if key not in entry]
    if missing:
        print("Please enter the details for the new user:")
    answers = {key: asking.ask(QUESTIONS[key], partial(_check, key)) for key in missing}
    if not {"password", "public_keys"} & entry.keys():
        answers["password"] = asking.ask_password(lambda password: check_policy(password, site.password_policy))
    return entry | {key: answer for key, answer in answers.items() if answer}


def _check(key: str, text: str) -> None:
    """Raise FieldError when `text` is not accepted as this field of a name."""
    if key in NAME_FIELDS:
        Name(**{**PLACEHOLDER, key: text})


def _refuse_missing(entry: dict[str, object]) -> None:
    missing = [f"--{key.replace('_', '-')}" for key in REQUIRED if not entry.get(key)]
    if missing and "distinguished_name" not in entry:
        raise MigError(f"there is no terminal to ask at; give {' and '.join(missing)}, or -i DN")


def _renamed(user: User, given: dict[str, str]) -> dict[str, object]:
    """The identity of a user whose name gets the given fields."""
    fields = {field: getattr(user.name, field) for field in NAME_FIELDS} | given
    if Name(**fields) == user.name:
        return {"distinguished_name": user.client_id}
    return {**fields, "previous_distinguished_name": user.client_id}


def _existing(site: Configuration, text: str) -> User:
    user = find_user(site, text)
    if not user:
        raise _unknown(text)
    return user


def _unknown(text: str) -> MigError:
    return MigError(f"there is no user {text}; mig users lists all logins, and --json their distinguished names")


def _confirmed(site: Configuration, client_id: str, remove_data: bool) -> bool:
    if not asking.at_terminal():
        raise MigError("there is no terminal to ask at; give --yes to remove the user")
    home = site.user_home / parse_client_id(client_id).client_dir
    fate = "and all files in it are REMOVED" if remove_data else "is kept"
    return asking.confirm(f"Remove user {client_id}? The home {home} {fate}.")


def _with_service_passwords(
    entry: dict[str, object], args: argparse.Namespace, site: Configuration
) -> dict[str, object]:
    """The entry with a password for each service that the arguments name; an empty one takes the user's away."""
    if not args.service_password:
        return entry
    if not asking.at_terminal():
        raise MigError("there is no terminal to ask at for a password of a service; give it in a list of mig_users")
    services = given_services(args)
    for service in args.service_password:
        label = f"Password for {service}"
        password = asking.ask_password(lambda text: check_policy(text, site.password_policy), label)
        given = {"password": password} if password else {"password_hash": ""}
        services[service] = services.get(service, {}) | given
    return entry | {"services": services}


def _without_second_factor(site: Configuration, entry: UserEntry) -> str:
    with as_account(site):
        removed = second_factor.remove(site, entry.client_id)
    return f"User {entry.name.full_name} {'needs no code any more' if removed else 'has no second factor'}."


def _apply(site: Configuration, entry: UserEntry) -> list[str]:
    """Make the user what the entry says; what there is to say about it."""
    outcome = reconcile(site, [entry], update_password=UpdatePassword.ALWAYS)
    return list(_report(site, outcome, entry))


def _tell(lines: list[str], entry: UserEntry) -> None:
    for line in lines or [f"User {entry.name.full_name} is as it should be; nothing was changed."]:
        print(line)


def _report(site: Configuration, outcome: Outcome, entry: UserEntry) -> Iterator[str]:
    for change in outcome.changes:
        name = parse_client_id(change.client_id)
        fields = f" ({', '.join(change.fields)})" if change.action == "changed" else ""
        text = f"User {name.full_name} was {change.action}{fields}."
        if change.action == "removed":
            yield text if entry.remove_data else f"{text} The home {site.user_home / name.client_dir} is kept."
        else:
            yield f"{text} Login: {change.alias}, home: {site.user_home / name.client_dir}"
    yield from (f"Warning: {refusal}" for refusal in outcome.refused)


def _label(entry: dict[str, object]) -> str:
    return str(entry.get("full_name") or entry.get("distinguished_name"))
