"""`mig openid`: what an operator does with the site's OpenID Connect provider."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from ..access import as_account
from ..configuration import load

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Add the command to those of `mig`."""
    parser = add("openid", run, "look after the site's OpenID Connect provider")
    parser.add_argument(
        "action",
        choices=["rotate-keys"],
        help="rotate-keys: let a new key sign; old ones stay known for as long as a session lasts",
    )


def run(args: argparse.Namespace) -> int:
    """`mig openid rotate-keys`, the only action so far."""
    from ..openid.keys import Keys  # here, because other commands must start without Authlib
    from ..openid.settings import Settings

    site = load(args.conf)
    settings = Settings.of_site(site)
    with as_account(site):
        name = Keys(settings.keys_directory, settings.keys_kept_seconds).rotate()
    print(f"The key {name} signs from now on.")
    return 0
