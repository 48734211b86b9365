"""What all unit tests share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine, not about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def ansible_plugins() -> None:
    """Ansible's plugins, which can be made ready once only in a process."""
    init_plugin_loader([])


@pytest.fixture(scope="module")
def open_directory() -> Iterator[Path]:
    """A directory that other accounts reach, too, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="migrid-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
