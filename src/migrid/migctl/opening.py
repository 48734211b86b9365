"""MIGCTL as its container has it: the properties in the environment, and the config volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..grid.clock import SystemClock
from . import container, grid_info, properties, tls
from .grids import Grids, connect
from .handing_over import secrets_of
from .migration import Migration

CONFIG = Path("/mnt/config")
STATE = "3tera"


@contextmanager
def opened(environment: Mapping[str, str], config: Path = CONFIG) -> Iterator[Migration]:
    """The moves of this application. Raises PropertiesError, GridInfoError, PlaceError, MigctlError."""
    chosen = properties.read(environment)
    info = grid_info.read(config / chosen.grid_info_file)
    own = container.own_id()
    services = connect(info, config / chosen.private_key_file, config / STATE / "ssh")
    try:
        place = config / STATE
        secrets = partial(secrets_of, place, chosen, tls.pair(config, place))
        yield Migration(Grids(info, services), own, place, SystemClock(), chosen.mode, secrets)
    finally:
        for service in services.values():
            service.close()
