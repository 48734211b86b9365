"""The tests of moves share their fixtures with those of molecule/move/faults."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("proof")
pytest_plugins = ["proof.fixtures"]
