"""Fixtures of the tests of migrid.site."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_site import SampleSite


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    """A complete site without users. Not in tmp_path: its account must be able to walk down to its state."""
    if os.geteuid() != 0:
        pytest.skip("needs root, as the command mig does")
    with tempfile.TemporaryDirectory(prefix="mig-site-") as directory:
        site = SampleSite(Path(directory))
        site.build()
        yield site
