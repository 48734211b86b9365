"""After playbooks/uninstall.yml: no way in for other grids, and applications run on."""

from __future__ import annotations

from typing import Any


def test_the_engine_runs_on(host: Any) -> None:
    assert host.service("docker").is_running
    assert host.run("docker compose version").rc == 0


def test_the_way_in_is_gone(host: Any) -> None:
    assert not host.user("mig-grid").exists
    for path in ("/etc/migrid", "/etc/sudoers.d/migrid-grid", "/etc/ssh/sshd_config.d/60-migrid-grid.conf"):
        assert not host.file(path).exists, path
    assert not host.file("/var/lib/migrid/grid/ssh").exists


def test_the_software_is_gone(host: Any) -> None:
    for path in ("/opt/migrid", "/usr/local/bin/mig-grid", "/run/migrid"):
        assert not host.file(path).exists, path
    for gate in ("/usr/local/bin/mig-grid-gate", "/usr/local/bin/mig-grid-owner"):
        assert not host.file(gate).exists, gate
    assert not host.service("mig_grid_guard").is_running


def test_what_applications_need_is_kept(host: Any) -> None:
    assert host.file("/var/lib/migrid/grid/applications").is_directory
    assert host.file("/var/lib/migrid/grid/moves").is_directory
