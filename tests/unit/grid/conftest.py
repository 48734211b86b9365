"""What tests of more than one room of grids share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_sshd import Sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    sshd = Sshd(tmp_path_factory.mktemp("sshd"))
    yield sshd
    sshd.stop()
