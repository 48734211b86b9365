"""The portal: the pages on which users see their account and their files, on every virtual host that lets them in.

Apache has proven who asks; `visitor` says who that is. The pages have the addresses that MiG's documents name, below
`/wsgi-bin/`, and work without scripts.
"""

from __future__ import annotations

from flask import Flask

from ..configuration import load
from .application import build

__all__ = ["create_app"]


def create_app() -> Flask:
    """The application of the site that the host's MiGserver.conf describes. Raises ConfigurationError."""
    return build(load())
