"""The sessions of the visitor at the site's own OpenID Connect provider, which the browsers of a user have."""

from __future__ import annotations

from typing import NamedTuple

from flask import request

from ..openid.sessions import Session, Sessions
from ..openid.store import Store
from .context import portal, visitor


class Shown(NamedTuple):
    """A session, and whether it is the one of the browser that asks."""

    session: Session
    is_present: bool


def own() -> list[Shown]:
    """All sessions of the visitor, the latest login first."""
    if not portal().site.enable_openid:
        return []
    found = _sessions().of_user(visitor().user.client_id)
    return [Shown(session, session.sid == _present()) for session in found]


def end(sid: str) -> None:
    """End one session, if it is the visitor's."""
    if any(shown.session.sid == sid for shown in own()):
        _sessions().end(sid)


def end_others(*, password_changed: bool = False) -> None:
    """End all but the present one, which goes on with the new password if that was changed."""
    if not portal().site.enable_openid:
        return
    if password_changed:
        user = portal().logins.still(visitor().user.client_id, *visitor().way)
        if user:
            _sessions().keep(_present(), user)
    _sessions().end_of_user(visitor().user.client_id, but=_present())


def _sessions() -> Sessions:
    site = portal().site
    return Sessions(Store(site.openid_store), site.openid_session_lifetime)


def _present() -> str:
    """The name of the session in the ID token that let the browser in (OpenID Connect Back-Channel Logout 1.0: sid)."""
    return str(request.environ.get("OIDC_CLAIM_sid", ""))
