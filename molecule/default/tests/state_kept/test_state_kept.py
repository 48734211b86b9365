"""After playbooks/uninstall.yml only the users' data is left, in the hands of its account."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.mark.parametrize("port", [80, 443, 2222, 22222, 8021, 8022])
def test_nothing_answers(host: Any, port: int) -> None:
    address = host.ansible.get_variables()["system_container_address"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, port), timeout=10).close()


def test_the_data_is_kept_for_its_account(host: Any) -> None:
    assert host.file("/home/mig/state/user_db_home/MiG-users.db").user == "mig"
    assert host.check_output("ls /home/mig/state/user_home/+*ada@example.org") == "welcome.txt"


def test_the_software_is_gone(host: Any) -> None:
    for path in ("/opt/migrid", "/etc/migrid", "/var/lib/migrid", "/usr/local/bin/mig"):
        assert not host.file(path).exists
