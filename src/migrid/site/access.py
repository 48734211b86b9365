"""Reading what is the site's: as the site's account, whoever calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from .configuration import Configuration
from .privileges import acting_as
from .store import UserStore


def as_account(site: Configuration) -> AbstractContextManager[None]:
    """Run a block as the site's account. Raises PrivilegeError for a caller who is neither root nor that account."""
    if os.geteuid() == site.account_uid:
        return nullcontext()
    return acting_as(site.account_uid, site.account_gid)


@contextmanager
def opened_store(site: Configuration) -> Iterator[UserStore | None]:
    """The user store for reading, in a block that runs as the site's account; None while the site has no user yet."""
    with as_account(site):
        if not site.user_db_path.exists():
            yield None
            return
        with UserStore(site.user_db_path, read_only=True) as store:
            yield store
