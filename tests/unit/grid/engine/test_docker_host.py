"""What the host tells of itself."""

from __future__ import annotations

import socket
from pathlib import Path

import captured

from migrid.grid.docker import host as docker_host


def test_listening_sockets_as_the_kernel_lists_them() -> None:
    found = set(docker_host.listening(captured.DATA / "net"))
    assert ("", 22, "tcp") in found
    assert ("", 8080, "tcp") in found
    assert ("127.0.0.1", 0x9FC9, "tcp") in found
    assert all(protocol in ("tcp", "udp") for _, _, protocol in found)


def test_own_sockets_are_seen_by_address_and_protocol() -> None:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram, socket.socket() as silent:
        for item in (stream, datagram, silent):
            item.bind(("127.0.0.1", 0))
        stream.listen()
        found = set(docker_host.listening())
        assert ("127.0.0.1", stream.getsockname()[1], "tcp") in found
        assert ("127.0.0.1", datagram.getsockname()[1], "udp") in found
        assert ("127.0.0.1", silent.getsockname()[1], "tcp") not in found


def test_sockets_of_the_other_address_family() -> None:
    with socket.socket(socket.AF_INET6) as stream:
        stream.bind(("::1", 0))
        stream.listen()
        assert ("::1", stream.getsockname()[1], "tcp") in set(docker_host.listening())


def test_a_kernel_without_the_other_family_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "tcp").write_text((captured.DATA / "net/tcp").read_text())
    assert {protocol for _, _, protocol in docker_host.listening(tmp_path)} == {"tcp"}


def test_the_file_system_of_a_directory(tmp_path: Path) -> None:
    assert docker_host.file_system("10 4096 btrfs\n") == docker_host.FileSystem(40960, "btrfs")
    assert docker_host.file_system_of(tmp_path).free_bytes > 0
