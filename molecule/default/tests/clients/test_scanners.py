"""What a scanner of weak points finds on every port that is open to the world."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCANNERS = Path(__file__).parents[4] / ".venv/scanners/bin"
WARNED_OF = {"curve25519-sha256", "curve25519-sha256@libssh.org"}
"""No protection against a quantum computer to come; clients from before 2022 and Paramiko know nothing better."""


@pytest.mark.parametrize("way_in", ["public", "sid", "oidc"])
def test_tls_is_as_mozilla_recommends(site: Any, tmp_path: Path, way_in: str) -> None:
    scan_tls(site, tmp_path, f"{site.variables[f'mig_{way_in}_fqdn']}:443")


@pytest.mark.parametrize("port", [8022, 4443])
def test_tls_of_the_access_services_is_as_mozilla_recommends(site: Any, tmp_path: Path, port: int) -> None:
    scan_tls(site, tmp_path, f"{site.variables['mig_io_fqdn']}:{port}")


def test_ssh_has_no_weak_algorithm(site: Any) -> None:
    command = [SCANNERS / "ssh-audit", "--skip-rate-test", "--json"]
    command += ["--port", str(site.variables["mig_sftp_port"]), site.address]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    noted = [(entry["algorithm"], entry["notes"]) for kind in ("kex", "key", "enc", "mac") for entry in report[kind]]
    assert not [(name, notes["fail"]) for name, notes in noted if notes.get("fail")]
    assert {name for name, notes in noted if notes.get("warn")} <= WARNED_OF
    assert not report["cves"]


def scan_tls(site: Any, directory: Path, server: str) -> None:
    """Fail with what sslyze finds on `server`, a name and a port."""
    host, _, port = server.partition(":")
    report = directory / "report.json"
    command = [SCANNERS / "sslyze", "--mozilla_config", "intermediate", "--json_out", report]
    trusted = ["--certinfo", "--certinfo_ca_file", site.authority]
    target = f"{host}:{port}{{{site.address}}}"
    scan = subprocess.run([*command, *trusted, target], capture_output=True, text=True, check=False)
    assert f"{server}: OK - Compliant" in scan.stdout, scan.stdout[-3000:]
    [result] = json.loads(report.read_text())["server_scan_results"]
    assert result["scan_status"] == "COMPLETED"
