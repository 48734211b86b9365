"""Notices of logout to the clients that took part in a session (OpenID Connect Back-Channel Logout 1.0).

They are in the database from the moment when the session ends, so that none is lost when the daemon restarts.
"""

from __future__ import annotations

import http.client
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from .store import Store, new_secret

if TYPE_CHECKING:
    from .provider import Provider

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_SECONDS = 120
TIMEOUT_SECONDS = 5
REST_SECONDS = 30
KEPT_SECONDS = 3600
_REFUSED = 400
_SERVER_ERROR = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """One client is to be told that one session is over."""

    number: int
    client_id: str
    sid: str
    user: str
    created: float


class Notices:
    """The notices in the provider's database that are not delivered."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def waiting(self) -> list[Notice]:
        with self._store.reading() as connection:
            return [Notice(**row) for row in connection.execute("SELECT * FROM notices ORDER BY number")]

    def remove(self, notice: Notice) -> None:
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM notices WHERE number = ?", (notice.number,))

    def forget(self, before: float) -> None:
        """Give up what waits since before a time."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM notices WHERE created < ?", (before,))


class Messenger:
    """Delivers the notices. A client that did not take one is left alone for a while."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._resting: dict[str, float] = {}

    def deliver(self) -> None:
        """Send what waits. What does not arrive is logged and waits on."""
        now = self._provider.clock()
        for notice in self._provider.notices.waiting():
            if self._resting.get(notice.client_id, 0) > now:
                continue
            try:
                self._send(notice)
                self._provider.notices.remove(notice)
            except (OSError, http.client.HTTPException) as error:
                log.warning("client %s was not told of a logout: %s", notice.client_id, error)
                self._resting[notice.client_id] = now + REST_SECONDS

    def _send(self, notice: Notice) -> None:
        client = self._provider.clients.get(notice.client_id)
        if client and client.backchannel_logout_uri:
            status = _post(client.backchannel_logout_uri, {"logout_token": _logout_token(self._provider, notice)})
            if status >= _REFUSED:
                log.warning(
                    "client %s refused to be told of a logout: it answered with status %s", client.client_id, status
                )


def _logout_token(provider: Provider, notice: Notice) -> str:
    now = int(provider.clock())
    claims = {
        "iss": provider.settings.issuer,
        "sub": notice.user,
        "aud": notice.client_id,
        "iat": now,
        "exp": now + LOGOUT_TOKEN_SECONDS,
        "jti": new_secret(),
        "sid": notice.sid,
        "events": {EVENT: {}},
    }
    return provider.keys.sign(claims, "logout+jwt")


def _post(uri: str, fields: dict[str, str]) -> int:
    """Send a form, and follow nothing; the HTTP status. Raises OSError or HTTPException when nobody took it."""
    parts = urlsplit(uri)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        connection.request("POST", target, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})
        status = connection.getresponse().status
    finally:
        connection.close()
    if status >= _SERVER_ERROR:
        raise http.client.HTTPException(f"it answered with status {status}")
    return status
