"""MiGserver.conf as the role writes it, read by the program that uses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from migrid.provision.import_site import import_site
from migrid.site.configuration import load

ROLES = Path(__file__).parents[2] / "roles"
EXAMPLES = sorted((ROLES.parent / "tests/data/generator").iterdir())
MIG = Path(sys.executable).with_name("mig")
NAMES = {"mig_base_fqdn": "mig.test", "mig_public_fqdn": "www.mig.test", "mig_sid_fqdn": "sid.mig.test"}
INVENTORIES: dict[str, dict[str, Any]] = {
    "minimal": {},
    "both SFTP ports": {"mig_io_fqdn": "io.mig.test", "mig_enable_sftp": True, "mig_enable_sftp_subsys": True},
    "ports of its own": {"mig_public_http_port": 8080, "mig_public_https_port": 8443, "mig_sid_port": 9443},
    "places of its own": {"mig_home": "/srv/mig", "mig_state": "/srv/mig/state", "mig_code": "/srv/code"},
    "people": {"mig_support_email": "Support <support@mig.test>", "mig_admin_email": "a@mig.test, b@mig.test"},
    "signs": {"mig_title": '100% "Grid" & Søn\'s %(state_path)s', "mig_short_title": "50%"},
    **{f"imported {path.stem}": import_site(path.read_text()).variables for path in EXAMPLES},
    "policy": {"mig_password_policy": "CUSTOM:12:3", "mig_log_level": "debug"},
}


@pytest.fixture
def configuration(ansible_plugins: None, tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Write MiGserver.conf for an inventory."""

    def write(inventory: dict[str, Any]) -> Path:
        loader = DataLoader()
        variables: dict[str, Any] = {"ansible_search_path": [str(ROLES / "migserver")], "role_path": "/nowhere"}
        for file in ("mig/defaults/main.yml", "migserver/defaults/main.yml"):
            variables |= loader.load_from_file(str(ROLES / file), trusted_as_template=True)
        template = trust_as_template("{{ lookup('ansible.builtin.template', 'MiGserver.conf.j2') }}")
        path = tmp_path / "MiGserver.conf"
        path.write_text(Templar(loader, variables | NAMES | inventory).template(template))
        return path

    return write


@pytest.mark.parametrize("name", INVENTORIES)
def test_checkconf_finds_nothing_wrong(name: str, configuration: Callable[[dict[str, Any]], Path]) -> None:
    path = configuration(INVENTORIES[name])
    answer = subprocess.run(
        [MIG, "checkconf", "--file-only", "--conf", path], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_values_arrive_as_they_were_given(configuration: Callable[[dict[str, Any]], Path]) -> None:
    site = load(configuration(INVENTORIES["signs"] | INVENTORIES["both SFTP ports"]))
    assert site.title == INVENTORIES["signs"]["mig_title"]
    assert (site.enable_sftp, site.enable_sftp_subsys) == (True, True)
    assert (site.user_sftp_address, site.user_sftp_port) == ("io.mig.test", 2222)


def test_urls_name_only_unusual_ports(configuration: Callable[[dict[str, Any]], Path]) -> None:
    usual, own = load(configuration({})), INVENTORIES["ports of its own"]
    assert usual.migserver_public_url == "https://www.mig.test"
    unusual = load(configuration(own))
    assert unusual.migserver_public_url == "https://www.mig.test:8443"
    assert unusual.migserver_http_url == "http://www.mig.test:8080"
    assert unusual.migserver_https_sid_url == "https://sid.mig.test:9443"


def test_a_wrong_value_is_refused(configuration: Callable[[dict[str, Any]], Path]) -> None:
    path = configuration({"mig_public_fqdn": "no host"})
    answer = subprocess.run(
        [MIG, "checkconf", "--file-only", "--conf", path], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "migserver_public_url" in answer.stdout
