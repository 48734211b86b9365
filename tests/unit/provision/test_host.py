"""What the roles learn of a host, on the machine that runs the tests."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from migrid.provision import host


def test_the_packages_are_those_that_dpkg_names(tmp_path: Path) -> None:
    if not shutil.which("dpkg-query"):
        pytest.skip("this machine has no dpkg")
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n"]
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = {name for status, name in map(str.split, lines) if status == "installed"}
    assert set(host.facts("root", tmp_path / "venv")["mig_host"]["packages"]) == expected


def test_a_package_that_waits_for_a_trigger_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"libc-bin": "triggers-pending", "dbus": "triggers-awaited", "sudo": "config-files", "tini": "installed"}
    stanzas = [f"Package: {name}\nStatus: install ok {state}\nVersion: 1\n" for name, state in states.items()]
    monkeypatch.setattr(host, "DPKG_STATUS", tmp_path / "status")
    host.DPKG_STATUS.write_text("\n".join(stanzas))
    assert list(host.installed_deb()) == ["libc-bin", "dbus", "tini"]


def test_the_account_and_the_release_are_told(tmp_path: Path) -> None:
    (tmp_path / "venv").symlink_to("/opt/migrid/releases/1/venv")
    found = host.facts("root", tmp_path / "venv")["mig_host"]
    assert (found["home"], found["group"], found["release"]) == ("/root", "root", "/opt/migrid/releases/1/venv")


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    found = host.facts("nobody-here", tmp_path / "venv")["mig_host"]
    assert (found["home"], found["group"], found["release"]) == (None, None, None)


@pytest.mark.parametrize(
    ("release", "name", "major", "family"),
    [
        ({"ID": "debian", "VERSION_ID": "13"}, "Debian", "13", "Debian"),
        ({"ID": "ubuntu", "VERSION_ID": "24.04"}, "Ubuntu", "24", "Debian"),
        ({"ID": "rocky", "VERSION_ID": "9.6"}, "Rocky", "9", "RedHat"),
    ],
)
def test_the_distribution_is_called_as_ansible_does(
    release: dict[str, str], name: str, major: str, family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    monkeypatch.setattr(host, "installed_deb", lambda: iter(["python3"]))
    monkeypatch.setattr(host, "installed_rpm", lambda: ["python3"])
    found = host.facts("root", tmp_path / "venv")
    assert (found["distribution"], found["distribution_major_version"], found["os_family"]) == (name, major, family)


def test_an_unknown_distribution_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "plan9"})
    with pytest.raises(host.UnsupportedHostError, match=r"'plan9' is not supported.*Debian"):
        host.facts("root", tmp_path / "venv")


def test_a_unit_runs_when_it_is_active_and_starts_with_the_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocks = [
        "Id=migrid.target\nActiveState=active\nUnitFileState=enabled",
        "Id=apache2.service\nActiveState=active\nUnitFileState=disabled",
        "Id=httpd.service\nActiveState=inactive\nUnitFileState=",
        "Id=grid_sftp.service\nActiveState=failed\nUnitFileState=enabled",
    ]
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\ncat <<'END'\n" + "\n\n".join(blocks) + "\nEND\n")
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert host.running() == ["migrid.target"]
