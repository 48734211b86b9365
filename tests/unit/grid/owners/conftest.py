"""What the tests of owners share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from owned_grids import OwnedGrids, owned_grids


@pytest.fixture
def grids(tmp_path: Path) -> Iterator[OwnedGrids]:
    with owned_grids(tmp_path) as made:
        yield made
