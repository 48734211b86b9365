"""`mig users`: find and list users."""

from __future__ import annotations

import argparse
import json
import unicodedata
from datetime import date
from fnmatch import fnmatchcase

from ...table import table
from ..access import opened_store
from ..configuration import Configuration, load
from ..identity import parse_client_id
from ..store import Credentials, User, today
from ..users import ALL_METHODS, NAME_FIELDS

COLUMNS = {
    "alias": "Login",
    "full_name": "Full Name",
    "organization": "Organization",
    "state": "State",
    "expire": "Expires",
}
PATTERN_FIELDS = ("email", "full_name", "organization")


def find_user(site: Configuration, text: str) -> User | None:
    """The user of this distinguished name or alias, in any case and normal form. Raises FieldError for a broken DN."""
    wanted = parse_client_id(text).client_id if text.startswith("/") else unicodedata.normalize("NFC", text)
    with opened_store(site) as store:
        return store.find(wanted) if store else None


def list_users(args: argparse.Namespace) -> int:
    """Print the users that the arguments choose, as a table or as JSON."""
    site = load(args.conf)
    with opened_store(site) as store:
        with_code = store.with_second_factor() if store else set()
        users = store.users() if store else ()
        records = [_record(user, site, user.client_id in with_code) for user in users if _chosen(user, args)]
    if args.json:
        print(json.dumps(records, ensure_ascii=False, indent=2))
    else:
        print(table(list(COLUMNS.values()), ([str(record[key]) for key in COLUMNS] for record in records)))
    return 0


def _chosen(user: User, args: argparse.Namespace) -> bool:
    patterns = ((getattr(args, field), getattr(user.name, field)) for field in PATTERN_FIELDS)
    return all(_matches(*pair) for pair in patterns) and _expires_within(user.expire, args)


def _matches(pattern: str | None, text: str) -> bool:
    return pattern is None or fnmatchcase(text.casefold(), unicodedata.normalize("NFC", pattern).casefold())


def _expires_within(expire: date | None, args: argparse.Namespace) -> bool:
    if expire is None:
        return args.expire_after is None and args.expire_before is None
    return (args.expire_after or date.min) < expire < (args.expire_before or date.max)


def _record(user: User, site: Configuration, second_factor: bool) -> dict[str, object]:
    return {
        "alias": user.alias,
        "state": user.state(today()),
        "expire": user.expire.isoformat() if user.expire else "",
        **{field: getattr(user.name, field) for field in NAME_FIELDS},
        "comment": user.comment,
        "client_id": user.client_id,
        "home": str(site.user_home / user.client_dir),
        "has_password": bool(user.password_hash),
        "public_keys": list(user.public_keys),
        "login_methods": list(user.login_methods) or ALL_METHODS,
        "services": {own.service: _service_record(own) for own in user.services},
        "second_factor": second_factor,
        "created": user.created.isoformat(),
    }


def _service_record(own: Credentials) -> dict[str, object]:
    return {"enabled": own.enabled, "has_password": bool(own.password_hash), "public_keys": list(own.public_keys)}
