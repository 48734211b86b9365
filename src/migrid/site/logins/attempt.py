"""The words for one attempt to log in, and for what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto

from .. import values
from ..store import User


class Service(StrEnum):
    """What a user logs in to."""

    WEB = auto()
    SFTP = auto()
    FTPS = auto()
    DAVS = auto()


class Method(StrEnum):
    """How a user proves who it is."""

    PASSWORD = auto()
    PUBLIC_KEY = "publickey"
    MIGCERT = auto()
    EXTCERT = auto()
    MIGOIDC = auto()
    EXTOIDC = auto()


LOGIN_METHODS = tuple(map(Method, values.LOGIN_METHODS))
"""The ways into the web: the words of the site's option `login_methods`."""


class Reason(StrEnum):
    """Why an attempt ended as it did."""

    GRANTED = auto()
    UNKNOWN = auto()
    WRONG = auto()
    SUSPENDED = auto()
    EXPIRED = auto()
    NOT_ALLOWED = auto()
    TOO_EARLY = auto()
    CODE_MISSING = auto()
    CODE_WRONG = auto()


@dataclass(frozen=True)
class Attempt:
    """Somebody at `address` wants to use a service as `login`, an alias or a client id."""

    service: Service
    method: Method
    login: str
    address: str


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to: the user only when it was granted; how many seconds to wait when it came too early."""

    reason: Reason
    user: User | None = None
    retry_after: float = 0.0

    @property
    def granted(self) -> bool:
        return self.reason is Reason.GRANTED
