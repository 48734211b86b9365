"""Grids for the tests of the faces."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_grid import ModelGrid, tiny


@pytest.fixture
def grid(tmp_path: Path) -> ModelGrid:
    """A grid without peers."""
    made = ModelGrid("grid-a", tmp_path / "grid-a")
    made.build({}, app_config={"configured": {"TINY_GREETING": "from the grid"}})
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The directory of a small application."""
    return tiny(tmp_path / "tiny")
