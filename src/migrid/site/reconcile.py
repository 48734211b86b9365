"""Make the users of a site what a list of entries asks for: observe, plan, then execute in one transaction."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from .access import as_account
from .accounts import Account, Published, ask_to_publish, host_accounts, is_published, publish
from .configuration import Configuration
from .errors import FieldError
from .homes import Homes
from .identity import Name, default_alias
from .plan import Change, Observed, Plan, Request, UpdatePassword, plan
from .privileges import acting_as
from .store import UserStore, today
from .undo import UndoFile
from .users import UserEntry
from .webdavs import store as webdavs


@dataclass
class Outcome:
    """What `reconcile` did, or would do.

    `published` says whether the host's account files changed, `refused` which users they do not have, and why.
    """

    changes: list[Change]
    published: bool = False
    refused: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.changes) or self.published


def reconcile(
    site: Configuration | None,
    entries: Sequence[UserEntry],
    *,
    purge: bool = False,
    update_password: UpdatePassword = UpdatePassword.ON_CREATE,
    dry_run: bool = False,
) -> Outcome:
    """Create, change, rename, suspend and remove users, all or none; then publish their accounts.

    Root publishes at once; the site's own account asks the host to do it. Nobody else may call this.
    `purge` also removes the users that no entry names; their data stays. With UpdatePassword.ON_CREATE the
    password of an existing user is left alone. `dry_run` changes nothing and says what would be done; a site that
    does not exist yet (None) has no users.
    Raises EntriesError with a line for each entry that cannot be realised, StoreError, HomeError, PrivilegeError.
    """
    if site is None:
        request = Request(entries, purge, update_password)
        return Outcome(plan(request, Observed(host_accounts=host_accounts()), today()).changes)
    request = Request(entries, purge, update_password, site.password_policy)
    return _preview(site, request) if dry_run else _execute(site, request)


def _preview(site: Configuration, request: Request) -> Outcome:
    account = _account(site)
    with ExitStack() as stack:
        with acting_as(account.uid, account.gid):
            store = stack.enter_context(UserStore(site.user_db_path, read_only=True))
            homes = stack.enter_context(Homes(site.user_home)) if site.user_home.is_dir() else None
            changes = plan(request, _observe(store, homes, request), today()).changes
        would_publish = site.accounts_home.is_dir() and (
            bool(changes) or not is_published(store, account, site.accounts_home)
        )
    return Outcome(changes, would_publish)


def _execute(site: Configuration, request: Request) -> Outcome:
    account = _account(site)
    with ExitStack() as stack:
        with as_account(site):
            store = stack.enter_context(UserStore(site.user_db_path))
            homes = stack.enter_context(Homes(site.user_home, site.welcome_text))
            changes = _transact(site, store, homes, request)
        done = _publish(site, store, account)
    return Outcome(changes, done.changed, done.refused)


def _publish(site: Configuration, store: UserStore, account: Account) -> Published:
    if os.geteuid() == 0:
        return publish(store, account, site.accounts_home)
    ask_to_publish(site.mig_system_run)
    return Published()


def _transact(site: Configuration, store: UserStore, homes: Homes, request: Request) -> list[Change]:
    """Realise the request, or nothing of it. The undo file is only touched under the store's write lock."""
    undo = UndoFile(site.user_db_home, homes)
    try:
        with store.transaction():
            undo.settle(store.generation)
            wanted = plan(request, _observe(store, homes, request), today())
            if wanted.changes:
                _apply(wanted, store, homes, undo)
    finally:
        with store.transaction():
            undo.settle(store.generation)
    if wanted.erased:
        _erase(wanted.erased, site, store, homes)
    return wanted.changes


def _apply(wanted: Plan, store: UserStore, homes: Homes, undo: UndoFile) -> None:
    undo.write(store.generation + 1, wanted.steps)
    for step in wanted.steps:
        step.do(homes)
    homes.flush()
    store.replace(wanted.removed, wanted.stored, wanted.renamed)


def _erase(names: Iterable[Name], site: Configuration, store: UserStore, homes: Homes) -> None:
    """Remove the data of users who are gone for good; interrupted, the same request takes it up again."""
    with store.transaction():
        for name in names:
            if not store.select([name.client_id]):
                homes.remove(name.client_dir)
                webdavs.forget(site.davs_store, name.client_id)


def _account(site: Configuration) -> Account:
    return Account(site.account_uid, site.account_gid, site.user_home)


def _observe(store: UserStore, homes: Homes | None, request: Request) -> Observed:
    names = [name for entry in request.entries for name in (entry.name, entry.previous) if name]
    if request.purge:
        users = {user.client_id: user for user in store.users()}
    else:
        users = store.select(name.client_id for name in names)
    owners = store.owners(_possible_aliases(request.entries))
    aliases = {user.alias for user in users.values()}.union(owners, _possible_aliases(request.entries))
    directories = {name.client_dir for name in names}.union(user.client_dir for user in users.values())
    return Observed(
        users=users,
        owners=owners,
        homes=frozenset(filter(homes.exists, directories)) if homes else frozenset(),
        links={alias: target for alias in aliases if (target := homes.target(alias))} if homes else {},
        host_accounts=host_accounts(),
    )


def _possible_aliases(entries: Iterable[UserEntry]) -> set[str]:
    aliases = set()
    for entry in entries:
        try:
            aliases.add(entry.alias or default_alias(entry.name))
        except FieldError:
            continue
    return aliases
