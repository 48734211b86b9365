"""With mig_enable_sftp and mig_enable_sftp_subsys false, nothing of SFTP is left, and the rest goes on."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.mark.parametrize("variable", ["mig_sftp_port", "mig_sftp_subsys_port"])
def test_nothing_answers(site: Any, variable: str) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address, int(site.variables[variable])), timeout=10).close()


def test_nothing_is_left(host: Any) -> None:
    for path in ("/etc/migrid/sftp", "/etc/systemd/system/grid_sftp.service", "/var/lib/migrid/accounts"):
        assert not host.file(path).exists
    assert host.run("systemctl cat grid_sftp").rc != 0


def test_the_pages_are_still_served(site: Any) -> None:
    assert site.get(f"https://{site.variables['mig_public_fqdn']}/", "--fail").returncode == 0


def test_users_and_their_data_are_still_there(host: Any) -> None:
    assert "ada@example.org" in host.check_output("mig users --json")
    assert host.check_output("ls -d /home/mig/state/user_home/+*ada@example.org")
