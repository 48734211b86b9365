"""Mail to users whose access ends soon."""

from __future__ import annotations

from datetime import date

from . import mail
from .configuration import Configuration
from .store import User, UserStore

DAYS_BEFORE = (30, 7, 1)
"""A notice goes out on each of these days; so nobody has to remember who was told."""


def notify(site: Configuration, today: date) -> int:
    """Tell everybody for whom this is such a day; how many were told. Runs as the site's account, once a day."""
    with UserStore(site.user_db_path, read_only=True) as store:
        told = [user for user in store.users() if _is_due(user, today)]
    for user in told:
        mail.post(site, [user.name.email], f"Your access ends on {user.expire}", _text(site, user))
    return len(told)


def _is_due(user: User, today: date) -> bool:
    return not user.suspended and user.expire is not None and (user.expire - today).days in DAYS_BEFORE


def _text(site: Configuration, user: User) -> str:
    whom = site.support_email or ", ".join(mail.administrators(site))
    return (
        f"Dear {user.name.full_name},\n\n"
        f"your access to {site.title} as {user.alias} ends on {user.expire}. Your files stay where they are.\n"
        f"To go on, write to {whom}.\n"
    )
