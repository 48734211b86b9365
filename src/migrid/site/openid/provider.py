"""The provider: its parts, and what they know together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import current_app

from ..logins import Logins, Method, Service
from ..store import User
from .clients import Clients
from .grants import Grants
from .keys import Keys
from .notices import Notices
from .second_step import SecondSteps
from .sessions import ONE_TIME_CODE, Session, Sessions
from .settings import ID_TOKEN_SECONDS, Settings
from .store import Store

PASSWORD_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"  # noqa: S105  (no password)
TWO_FACTORS_CLASS = "https://refeds.org/profile/mfa"
PROFILE = ("organization", "organizational_unit", "locality", "province", "country")


@dataclass(frozen=True)
class Visitor:
    """Somebody who is logged in: the session, and the user as the user store has it now."""

    session: Session
    user: User


class Provider:
    """What the application needs, in one place. `clock` is the time in seconds since 1970."""

    def __init__(
        self, settings: Settings, clients: Clients, logins: Logins, clock: Callable[[], float] = time.time
    ) -> None:
        store = Store(settings.directory)
        self.settings = settings
        self.clients = clients
        self.logins = logins
        self.clock = clock
        self.sessions = Sessions(store, settings.session_seconds, clock)
        self.grants = Grants(store, clock)
        self.notices = Notices(store)
        self.second_steps = SecondSteps(clock)
        self.keys = Keys(settings.keys_directory, settings.keys_kept_seconds, clock)
        self.keys.make()

    def user_of(self, session: Session) -> User | None:
        """The user, unless the session is over: by time, or because the user may not log in so any more."""
        if session.expires <= self.clock():
            return None
        user = self.logins.still(session.user, Service.WEB, Method.MIGOIDC)
        return user if user and session.is_of(user) else None

    def visitor_of(self, session: Session | None) -> Visitor | None:
        """Who has the session. One that turns out to be over is ended."""
        if session is None:
            return None
        user = self.user_of(session)
        if user is None:
            self.sessions.end(session.sid)
            return None
        return Visitor(session, user)

    def id_token(self, session: Session, client_id: str, claims: Mapping[str, str]) -> str:
        """What a client gets to know about a login (OpenID Connect Core 1.0, section 2), signed."""
        now = int(self.clock())
        two_factors = ONE_TIME_CODE in session.methods
        return self.keys.sign(
            {
                "iss": self.settings.issuer,
                "sub": session.user,
                "aud": client_id,
                "iat": now,
                "exp": now + ID_TOKEN_SECONDS,
                "sid": session.sid,
                "auth_time": session.auth_time,
                "acr": TWO_FACTORS_CLASS if two_factors else PASSWORD_CLASS,
                "amr": [*session.methods, *(["mfa"] if two_factors else [])],
                **claims,
            }
        )


def claims_of(user: User, scope: str) -> dict[str, str]:
    """What a scope lets a client know about a user (OpenID Connect Core 1.0, section 5.4); nothing that is empty."""
    words = scope.split()
    claims = {"sub": user.client_id}
    if "profile" in words:
        claims |= {"name": user.name.full_name, "preferred_username": user.alias}
        claims |= {field: getattr(user.name, field) for field in PROFILE}
    if "email" in words:
        claims["email"] = user.name.email
    return {name: value for name, value in claims.items() if value}


def provider() -> Provider:
    """The provider of the request that is being answered."""
    found: Provider = current_app.extensions["openid"]
    return found
