"""What becomes of a request: a user, or nothing; and who is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta

from .. import mail
from ..access import as_account
from ..configuration import Configuration
from ..errors import MigError
from ..logins.attempt import Method
from ..proofs import Proof
from ..reconcile import reconcile
from ..store import UserStore, today
from ..users import UserEntry
from .requests import Request, Requests

AUTOMATIC = {Method.EXTCERT: "auto_add_cert_user", Method.EXTOIDC: "auto_add_oidc_user"}
VALID_DAYS: Mapping[Method, str] = {Method.EXTCERT: "cert_valid_days", Method.EXTOIDC: "oidc_valid_days"}


class DecisionError(MigError):
    """The request cannot become a user; the text says why."""


def expiry(site: Configuration, method: Method) -> date:
    """When the access of somebody who signs up today ends, unless an administrator says otherwise."""
    days: int = getattr(site, VALID_DAYS.get(method, "generic_valid_days"))
    return today() + timedelta(days=days)


def is_automatic(site: Configuration, proof: Proof) -> bool:
    """Whether the site lets somebody who proved this become a user at once."""
    if not getattr(site, AUTOMATIC.get(proof.method, ""), False) or proof.name is None or not proof.email_is_proven:
        return False
    fields = {**vars(proof.name), "distinguished_name": proof.name.client_id}
    return all(re.match(pattern, fields[field]) for field, pattern in site.auto_add_user_permit)


def add_at_once(site: Configuration, proof: Proof) -> None:
    """Make a user of somebody whom the site's options permit. Raises DecisionError, EntriesError."""
    if proof.name is None:
        raise DecisionError("the proof does not say the name and the e-mail address")
    request = Request(client_id=proof.name.client_id, method=proof.method, external=proof.external)
    _create(site, request, expiry(site, proof.method))


def accept(site: Configuration, request: Request, expire: date | None) -> None:
    """Make the user, and tell the person. Raises DecisionError, EntriesError."""
    _create(site, request, expire)
    with as_account(site):
        Requests(site).remove(request.identifier)
        _tell(site, request, "Your account is ready", _accepted(site, request, expire))


def reject(site: Configuration, request: Request, reason: str) -> None:
    """Forget the request, and tell the person why."""
    with as_account(site):
        Requests(site).remove(request.identifier)
        why = f"\nThe reason: {' '.join(reason.split())}\n" if reason.strip() else ""
        _tell(site, request, "Your request for an account", _rejected(site, why))


def announce(site: Configuration, request: Request) -> None:
    """Tell the administrators that there is something to decide."""
    text = (
        f"{request.client_id}\n\nasks for an account on {site.title}.\n\n"
        f"See all requests: mig requests\nAccept it: mig acceptuser {request.identifier}\n"
        f"Reject it: mig rejectuser {request.identifier} --reason TEXT\n"
    )
    mail.post(site, mail.administrators(site), f"Request for an account: {request.name.full_name}", text)


def is_taken(site: Configuration, request: Request) -> bool:
    """Whether a user of that name or e-mail address exists."""
    with UserStore(site.user_db_path, read_only=True) as store:
        return bool(store.find(request.client_id) or store.find(request.name.email))


def _create(site: Configuration, request: Request, expire: date | None) -> None:
    with as_account(site):
        if is_taken(site, request):
            raise DecisionError(f"there is a user of this name or e-mail address already: {request.client_id}")
    if request.client_id in site.admin_list:
        raise DecisionError(
            f"admin_list names {request.client_id}: nobody becomes an administrator by asking; use mig createuser"
        )
    entry: dict[str, object] = {
        "distinguished_name": request.client_id,
        "expire": expire.isoformat() if expire else "",
        "comment": request.comment,
    }
    if request.password_hash:
        entry["password_hash"] = request.password_hash
    reconcile(site, [UserEntry.from_dict(entry, request.client_id)])
    if request.external:
        with as_account(site), UserStore(site.user_db_path) as store:
            store.link(request.external, request.client_id)


def _tell(site: Configuration, request: Request, subject: str, text: str) -> None:
    """Mail goes only to an address that is the person's for certain."""
    if request.email_is_proven:
        mail.post(site, [request.name.email], subject, f"Dear {request.name.full_name},\n\n{text}")


def _accepted(site: Configuration, request: Request, expire: date | None) -> str:
    page = f"{site.migserver_https_sid_url}/cgi-sid/login.py"
    until = f"It ends on {expire.isoformat()}.\n" if expire else ""
    return (
        f"you have an account on {site.title}. Your login is {request.name.email.lower()}.\n{until}\nLog in: {page}\n"
    )


def _rejected(site: Configuration, why: str) -> str:
    contact = f"\nQuestions? Write to {site.support_email}.\n" if site.support_email else ""
    return f"your request for an account on {site.title} was not accepted.\n{why}{contact}"
