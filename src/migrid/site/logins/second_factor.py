"""The second factor of a user: begun with a secret, in use from the first right code on. Runs as the site's account."""

from __future__ import annotations

from dataclasses import replace

from ..configuration import Configuration
from ..errors import MigError
from ..store import SecondFactor, User, UserStore
from . import totp


def is_in_use(site: Configuration, client_id: str) -> bool:
    """Whether the user needs a code on the web."""
    with UserStore(site.user_db_path, read_only=True) as store:
        factor = store.second_factor(client_id)
    return factor is not None and factor.confirmed


def begin(site: Configuration, client_id: str) -> str:
    """Give the user a new secret, which needs confirmation. Raises MigError if a second factor is in use."""
    factor = SecondFactor(totp.new_secret())
    with UserStore(site.user_db_path) as store, store.transaction():
        present = store.second_factor(client_id)
        if present and present.confirmed:
            raise MigError("a second factor is in use; remove it before you set up another one")
        store.set_second_factor(client_id, factor)
    return factor.secret


def unconfirmed_secret(site: Configuration, client_id: str) -> str | None:
    """The secret that was begun with and still needs confirmation."""
    with UserStore(site.user_db_path, read_only=True) as store:
        factor = store.second_factor(client_id)
    return factor.secret if factor and not factor.confirmed else None


def uri(site: Configuration, user: User, secret: str) -> str:
    """What an authenticator app has to know."""
    return totp.uri(secret, site.short_title, user.alias)


def confirm(site: Configuration, client_id: str, code: str, now: float) -> bool:
    """Put the second factor in use if this is a code of its secret. That code is then used up."""
    with UserStore(site.user_db_path) as store, store.transaction():
        factor = store.second_factor(client_id)
        step = totp.matching_step(factor.secret, code, now) if factor else None
        if factor is None or step is None or step <= factor.last_step:
            return False
        store.set_second_factor(client_id, replace(factor, confirmed=True, last_step=step))
    return True


def remove(site: Configuration, client_id: str) -> bool:
    """Remove the second factor; whether there was one."""
    with UserStore(site.user_db_path) as store, store.transaction():
        present = store.second_factor(client_id)
        store.set_second_factor(client_id, None)
    return present is not None
