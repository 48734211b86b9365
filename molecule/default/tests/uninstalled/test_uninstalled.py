"""After playbooks/uninstall.yml with mig_remove_state, the host has the files that it had before site.yml."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from conftest import PROJECT

# What any package manager, account tool or boot leaves behind.
NOISE = (
    "/etc/.pwd.lock",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/subgid-",
    "/etc/subuid-",
    "/root/.ansible",
    "/var/cache/",
    "/var/lib/apache2",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/",
    "/var/log/",
)


@pytest.fixture
def before(host: Any) -> list[str]:
    """The files that prepare.yml found."""
    return (PROJECT / "build/molecule" / f"{host.backend.host}.files").read_text().splitlines()


@pytest.fixture
def now(host: Any) -> list[str]:
    command = host.ansible.get_variables()["scenario_list_files"]
    return host.check_output(shlex.join(command)).splitlines()


def noteworthy(paths: list[str], known: list[str]) -> list[str]:
    unknown = set(paths) - set(known)
    return sorted(path for path in unknown if not path.startswith(NOISE) and "__pycache__" not in path)


def test_no_file_is_left(before: list[str], now: list[str]) -> None:
    assert noteworthy(now, before) == []


def test_no_file_of_the_distribution_is_missing(before: list[str], now: list[str]) -> None:
    assert noteworthy(before, now) == []


def test_no_account_is_left(host: Any) -> None:
    assert not host.user("mig").exists
    assert not host.group("mig").exists
