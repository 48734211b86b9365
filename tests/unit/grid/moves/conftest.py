"""What the tests of moves share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moves_world import World

_MEMORY = Path("/dev/shm")


@pytest.fixture
def world() -> Iterator[World]:
    """Both grids with the application on grid-a. In memory, where that is possible: moves write durably, and often."""
    root = Path(tempfile.mkdtemp(prefix="moves-", dir=_MEMORY if _MEMORY.is_dir() else None))
    try:
        made = World(root)
        made.provision()
        yield made
    finally:
        shutil.rmtree(root)
