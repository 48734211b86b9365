"""grid_openid: the site's own OpenID Connect provider over the user store.

The virtual hosts of the site are its clients. A user logs in here with password and second factor, and every virtual
host learns who it is. Formats: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0 and Back-Channel Logout
1.0; OAuth 2.0 (RFC 6749, RFC 6750) with PKCE (RFC 7636).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

DEFAULT_CLIENTS = Path("/etc/migrid/openid/clients.json")


def create_app() -> Flask:
    """The application as the daemon runs it: gunicorn --workers 1 --threads 8 'migrid.site.openid:create_app()'.

    It is one process, because logins between their two steps are in memory only. Reads MiGserver.conf and the clients
    ($MIG_OPENID_CLIENTS names another file of them). Raises ConfigurationError.
    """
    # Here and not above: the command mig and the portal use parts of this package without Flask.
    from ..configuration import load
    from ..logins import Logins
    from . import clients
    from .application import build
    from .keeper import Keeper
    from .provider import Provider
    from .settings import Settings

    site = load()
    known = clients.load(Path(os.environ.get("MIG_OPENID_CLIENTS") or DEFAULT_CLIENTS))
    provider = Provider(Settings.of_site(site), known, Logins(site))
    Keeper(provider).start()
    return build(provider)
