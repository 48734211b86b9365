"""Sign-up: how people who are no users ask for an account, and what becomes of it.

A request comes from the form, from a certificate of another authority or from an external provider. Those that the
site's options permit become users at once; all others wait until an administrator accepts or rejects them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Flask:
    """The pages below `/cgi-sid/`, for the site that the host's MiGserver.conf describes. Raises ConfigurationError."""
    from ..configuration import load  # here, because the command mig uses this package without Flask
    from .application import build

    return build(load())
