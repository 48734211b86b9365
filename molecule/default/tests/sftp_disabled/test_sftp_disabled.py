"""Without SFTP, FTPS and WebDAV nothing of them is left, and the rest goes on."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.mark.parametrize("port", [2222, 22222, 8021, 8022, 4443])
def test_nothing_answers(site: Any, port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address, port), timeout=10).close()


def test_nothing_is_left(host: Any) -> None:
    for service in ("sftp", "ftps", "webdavs"):
        assert not host.file(f"/etc/migrid/{service}").exists
        assert not host.file(f"/etc/systemd/system/grid_{service}.service").exists
        assert host.run(f"systemctl cat grid_{service}").rc != 0
    for path in ("/var/lib/migrid/accounts", "/etc/migrid/certs/davs.key"):
        assert not host.file(path).exists


def test_the_pages_are_still_served(site: Any) -> None:
    assert site.get(f"https://{site.variables['mig_public_fqdn']}/", "--fail").returncode == 0


def test_users_and_their_data_are_still_there(host: Any) -> None:
    assert "ada@example.org" in host.check_output("mig users --json")
    assert host.check_output("ls -d /home/mig/state/user_home/+*ada@example.org")
