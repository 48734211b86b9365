"""What all unit tests share."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import init_plugin_loader


@pytest.fixture(scope="session")
def ansible_plugins() -> None:
    """Ansible's plugins, which can be made ready once only in a process."""
    init_plugin_loader([])
