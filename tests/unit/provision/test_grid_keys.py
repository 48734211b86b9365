"""The keys of a grid's host, made by OpenSSH itself."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from migrid.grid.peers import host_keys as keys_of_host
from migrid.grid.peers.host_keys import host_keys
from migrid.provision import grid_keys
from migrid.provision.grid_keys import make, public_key


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "grid" / "ssh" / "id_ed25519"


def test_the_key_is_made_once(key: Path) -> None:
    assert public_key(key) is None
    assert make(key, "grid-a")
    made = public_key(key)
    assert made
    assert made.startswith("ssh-ed25519 AAAA")
    assert not make(key, "another name")
    assert public_key(key) == made


def test_both_halves_belong_together(key: Path) -> None:
    make(key, "grid-a")
    derived = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout
    assert " ".join(derived.split()[:2]) == public_key(key)


def test_nobody_else_can_enter_or_read(key: Path) -> None:
    make(key, "grid-a")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (key.parent.parent, key.parent, key)]
    assert modes == [0o700, 0o700, 0o600]


def test_a_key_that_a_crash_left_half_made_is_made_anew(key: Path) -> None:
    key.parent.mkdir(parents=True)
    key.write_text("half")
    assert make(key, "grid-a")
    assert public_key(key)


def test_host_keys_are_given_without_their_comments(tmp_path: Path) -> None:
    for kind in ("ed25519", "ecdsa"):
        name = tmp_path / f"ssh_host_{kind}_key"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "root@host", "-f", name], check=True)
    (tmp_path / "ssh_known_hosts.pub").write_text("something else")
    found = host_keys(tmp_path)
    assert [key.split()[0] for key in found] == ["ecdsa-sha2-nistp256", "ssh-ed25519"]
    assert all(len(key.split()) == 2 for key in found)


def test_a_host_that_has_keys_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ssh_host_ed25519_key"], check=True)
    monkeypatch.setattr(keys_of_host, "SSH", tmp_path)
    assert not grid_keys.make_host_keys()
    assert len(list(tmp_path.iterdir())) == 2
