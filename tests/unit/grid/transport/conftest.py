"""What the tests of the transport share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_host import GateHost

from migrid.grid.remote import RemoteSource


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GateHost]:
    host = GateHost(tmp_path)
    yield host
    host.stop()


@pytest.fixture
def remote(host: GateHost) -> Iterator[RemoteSource]:
    remote = host.remote()
    yield remote
    remote.close()
