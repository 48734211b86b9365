"""What a user may use: decided from the user's record alone, whoever asks and whatever was proven."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from ..store import User
from .attempt import LOGIN_METHODS, Method, Reason, Service


def permission(user: User, service: Service, method: Method, today: date, ways_in: Collection[str]) -> Reason:
    """Whether the user may use the service with this method: GRANTED, or why not.

    `ways_in` are the site's ways into the web, all of them when it is empty.
    """
    if user.suspended:
        return Reason.SUSPENDED
    if user.is_expired(today):
        return Reason.EXPIRED
    if not user.own_credentials(service).enabled or not is_way_in(user, service, method, ways_in):
        return Reason.NOT_ALLOWED
    return Reason.GRANTED


def is_way_in(user: User, service: Service, method: Method, ways_in: Collection[str]) -> bool:
    """Whether site and user let the user into the service by this method, as long as the user may log in at all."""
    if method is Method.PUBLIC_KEY:
        return service is Service.SFTP
    if method is Method.PASSWORD and service is Service.WEB:
        method = Method.MIGOIDC  # whose login page is the only one that takes passwords
    return method not in LOGIN_METHODS or all(method in allowed for allowed in (ways_in, user.login_methods) if allowed)
