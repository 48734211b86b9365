"""What stands behind the pages: the site, and its requests."""

from __future__ import annotations

from typing import NamedTuple, cast

from flask import current_app, request

from ...networks import network_of
from ..configuration import Configuration
from .requests import Limit, Requests

FROM_ONE_ADDRESS = Limit(10, 3600)
TO_ONE_MAILBOX = Limit(3, 86400)


class SignUp(NamedTuple):
    """The parts of the application."""

    site: Configuration
    requests: Requests

    def is_calm(self) -> bool:
        """Whether the address that asks has not sent too much lately."""
        return self.requests.admit(f"address {network_of(request.remote_addr or '')}", FROM_ONE_ADDRESS)

    def may_mail(self, email: str) -> bool:
        """Whether this mailbox has not got too much lately."""
        return self.requests.admit(f"mail {email.lower()}", TO_ONE_MAILBOX)


def sign_up() -> SignUp:
    return cast(SignUp, current_app.extensions["signup"])
