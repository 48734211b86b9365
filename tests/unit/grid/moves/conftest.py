"""What the tests of moves share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("moves_promises", "moves_faults")

from moves_world import World, new_world  # noqa: E402


@pytest.fixture
def world() -> Iterator[World]:
    """Two grids, and an application on the first."""
    with new_world() as made:
        yield made
