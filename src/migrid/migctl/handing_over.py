"""What a move's monitor needs to answer in place of the page: it is handed over when the move starts."""

from __future__ import annotations

from pathlib import Path

from ..grid.moves.monitored import MonitorSecrets
from .page.keys import key_of, signing_key
from .properties import Properties
from .tls import Pair


def secrets_of(place: Path, properties: Properties, pair: Pair) -> MonitorSecrets | None:
    """The secrets, in which the password and the key of the page are not; None if the page has no certificate.
    `place` is the directory 3tera of the config volume. Raises OSError."""
    try:
        certificate, private_key = (path.read_text(encoding="utf-8", errors="replace") for path in pair)
    except FileNotFoundError:
        return None
    key = signing_key(key_of(place), properties)
    return MonitorSecrets(key.hex(), certificate, private_key, properties.may_act, properties.asks_for_login)
