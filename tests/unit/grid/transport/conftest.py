"""What the tests of the transport share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_host import GateHost, make_grid
from real_sshd import Sshd

from migrid.grid.peers.remote import RemoteSource
from migrid.grid.state import State


@pytest.fixture
def grid_a(tmp_path: Path) -> State:
    """The state of grid-a, when nobody needs to reach it."""
    state = State(tmp_path / "state", tmp_path / "etc")
    make_grid(state)
    return state


@pytest.fixture
def host(tmp_path: Path, sshd: Sshd) -> Iterator[GateHost]:
    host = GateHost(tmp_path, sshd)
    yield host
    host.thaw()


@pytest.fixture
def remote(host: GateHost) -> Iterator[RemoteSource]:
    remote = host.remote()
    yield remote
    remote.close()
