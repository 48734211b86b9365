"""What the tests of owners share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from owned_grids import OwnedGrids, owned_grids
from real_sshd import Sshd


@pytest.fixture
def grids(tmp_path: Path) -> Iterator[OwnedGrids]:
    with owned_grids(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    sshd = Sshd(tmp_path_factory.mktemp("sshd"))
    yield sshd
    sshd.stop()
