"""The whole matrix of faults, with the fixtures of molecule/move/tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
pytest.register_assert_rewrite("proof")
pytest_plugins = ["proof.fixtures"]
