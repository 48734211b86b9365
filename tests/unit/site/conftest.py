"""Fixtures of the tests of migrid.site."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_site import SampleSite

from migrid.site.logins import history


@pytest.fixture(autouse=True)
def same_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong passwords are told apart by two bytes: with random keys, two of a few look the same once in a while."""
    monkeypatch.setattr(history, "_new_key", lambda: bytes(32))


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    """A complete site without users. Not in tmp_path: its account must be able to walk down to its state."""
    if os.geteuid() != 0:
        pytest.skip("needs root, as the command mig does")
    with tempfile.TemporaryDirectory(prefix="mig-site-") as directory:
        site = SampleSite(Path(directory))
        site.build()
        yield site
