"""After playbooks/uninstall.yml with grid_remove_applications, the host has the files that it had before."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]

# What any package manager, account tool, engine or boot leaves behind.
NOISE = (
    "/etc/.pwd.lock",
    "/etc/cni",
    "/etc/docker",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/ssh/ssh_host_",
    "/etc/subgid-",
    "/etc/subuid-",
    "/root/.ansible",
    "/root/.docker",
    "/var/cache/",
    "/var/lib/apt/",
    "/var/lib/dpkg/",
    "/var/lib/systemd/",
    "/var/log/",
)


def noteworthy(paths: set[str]) -> list[str]:
    return sorted(path for path in paths if not path.startswith(NOISE) and "__pycache__" not in path)


def files(host: Any) -> tuple[set[str], set[str]]:
    before = (PROJECT / "build/move" / f"{host.backend.host}.files").read_text().splitlines()
    now = host.check_output(shlex.join(host.ansible.get_variables()["scenario_list_files"])).splitlines()
    return set(before), set(now)


def sudo(host: Any) -> set[str]:
    """The files of sudo, which stays: somebody may have no other way to become root."""
    return set(host.run("dpkg --listfiles sudo; ls --directory /etc/rc?.d/S*sudo").stdout.splitlines())


def test_no_file_of_a_grid_is_left(host: Any) -> None:
    before, now = files(host)
    assert noteworthy(now - before - sudo(host)) == []


def test_no_file_of_the_host_is_missing(host: Any) -> None:
    before, now = files(host)
    assert noteworthy(before - now) == []


def test_no_account_of_a_grid_is_left(host: Any) -> None:
    assert not host.user("mig-grid").exists
