"""How the pages change a user: by the same function as `mig edituser`, so that every service gets to know it."""

from __future__ import annotations

from ..configuration import Configuration
from ..errors import MigError
from ..logins import Method, Service
from ..logins.permission import is_way_in
from ..plan import UpdatePassword
from ..reconcile import reconcile
from ..store import User
from ..users import UserEntry

PASSWORD_SERVICES = {
    Service.SFTP: ("SFTP", ("enable_sftp", "enable_sftp_subsys")),
    Service.FTPS: ("FTPS", ("enable_ftps",)),
    Service.DAVS: ("WebDAVS", ("enable_davs",)),
}
"""The services that may have a password of their own: what users call them, and what switches them on."""


class RefusedError(MigError):
    """What a form asks for cannot be done; the text is for the person who sent it."""

    def __init__(self, problem: str, status: int = 400) -> None:
        super().__init__(problem)
        self.status = status


def change(site: Configuration, user: User, **properties: object) -> None:
    """Give a user these properties, named as in an entry of `mig_users`. Raises EntriesError."""
    state = "suspended" if user.suspended else "present"
    entry = {"distinguished_name": user.client_id, "state": state} | properties
    reconcile(site, [UserEntry.from_dict(entry, user.alias)], update_password=UpdatePassword.ALWAYS)


def services_with_passwords(site: Configuration) -> dict[Service, str]:
    """The services of the site that take a password, with what users call them."""
    return {
        service: label
        for service, (label, switches) in PASSWORD_SERVICES.items()
        if any(getattr(site, switch) for switch in switches)
    }


def may_have_password(site: Configuration, user: User) -> bool:
    """Whether a password of this user would open anything."""
    on_the_web = site.enable_openid and _is_way_in(site, user)
    return on_the_web or bool(services_with_passwords(site))


def has_web_password(site: Configuration, user: User) -> bool:
    """Whether the user can prove by a password, on the web, who it is."""
    return bool(user.credentials(Service.WEB).password_hash) and _is_way_in(site, user)


def _is_way_in(site: Configuration, user: User) -> bool:
    return is_way_in(user, Service.WEB, Method.PASSWORD, site.login_methods)
