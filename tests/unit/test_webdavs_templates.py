"""Renders the role webdavs for several inventories, and asks the real Apache what it thinks of the configuration."""

from __future__ import annotations

import getpass
import grp
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar

from migrid.provision.authority import Certificates, Policy, Wanted

ROLES = Path(__file__).parents[2] / "roles"
UNIT = "/etc/systemd/system/grid_webdavs.service"
Render = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def render(ansible_plugins: None) -> Render:
    """Render all files of the role, by path, for a family of distributions and an inventory."""
    filter_loader.add_directory(str(ROLES.parent / "filter_plugins"))
    loader = DataLoader()

    def render(family: str = "Debian", **inventory: Any) -> dict[str, str]:
        variables: dict[str, Any] = {"mig_checkout": str(ROLES.parent), "ansible_search_path": [str(ROLES / "webdavs")]}
        for file in ("mig/defaults/main", "webdavs/defaults/main", "webdavs/vars/main", f"webdavs/vars/{family}"):
            variables |= loader.load_from_file(str(ROLES / f"{file}.yml"), trusted_as_template=True)
        variables |= {"mig_checkout": str(ROLES.parent), "mig_io_fqdn": "io.mig.test"} | inventory
        files = Templar(loader, variables).template(variables["__webdavs_files"])
        return {file["path"]: file["content"] for file in files}

    return render


@pytest.mark.parametrize(
    "inventory",
    [{}, {"mig_davs_address": "::1", "mig_davs_port": 443}, {"webdavs_processes": 8, "mig_log_level": "debug"}],
)
def test_apache_accepts_it(render: Render, tmp_path: Path, inventory: dict[str, Any]) -> None:
    program = shutil.which("apache2", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert program, "the tests need apache2: apt-get install apache2-bin libapache2-mod-wsgi-py3"
    Certificates(tmp_path, Policy("Test", "Test", 30, 10)).write([Wanted("davs", ("io.mig.test",), None, None)])
    for kind in ("crt", "key"):
        shutil.copy(tmp_path / f"davs.{kind}", tmp_path / f"{'cert' if kind == 'crt' else kind}.pem")
    (tmp_path / "httpd.conf").write_text(render(__webdavs_run=str(tmp_path), **inventory)["httpd.conf"])
    answer = subprocess.run([program, "-f", tmp_path / "httpd.conf", "-t"], capture_output=True, text=True, check=False)
    assert "Syntax OK" in answer.stderr


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [("", 4443, "4443"), ("192.0.2.1", 4443, "192.0.2.1:4443"), ("2001:db8::1", 443, "[2001:db8::1]:443")],
)
def test_it_listens_where_it_should(render: Render, address: str, port: int, expected: str) -> None:
    files = render(mig_davs_address=address, mig_davs_port=port)
    assert re.findall(r"^Listen (\S+)", files["httpd.conf"], re.MULTILINE) == [expected]
    assert ("CAP_NET_BIND_SERVICE" in files[UNIT]) == (port < 1024)


def test_the_certificate_is_taken_with_its_own_key_only(render: Render, tmp_path: Path) -> None:
    wanted = [Wanted(name, ("io.mig.test",), None, None) for name in ("davs", "other")]
    Certificates(tmp_path, Policy("Test", "Test", 30, 10)).write(wanted)
    (tmp_path / "run").mkdir()
    me = {"mig_user": getpass.getuser(), "mig_group": grp.getgrgid(os.getgid()).gr_name}

    def take(**inventory: str) -> subprocess.CompletedProcess[str]:
        script = render(**me, mig_certs=str(tmp_path), __webdavs_run=str(tmp_path / "run"), **inventory)[
            "take-certificate"
        ]
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)

    refused = take(webdavs_certificate_file=str(tmp_path / "other.crt"), webdavs_certificate_key_file="")
    assert refused.returncode == 1
    assert "davs.key is not the key of" in refused.stderr
    assert not list((tmp_path / "run").iterdir())
    assert take().returncode == 0
    taken = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    assert taken == {"cert.pem": (tmp_path / "davs.crt").read_bytes(), "key.pem": (tmp_path / "davs.key").read_bytes()}


def test_red_hat_has_its_own_places(render: Render) -> None:
    files = render("RedHat")
    assert "LoadModule wsgi_module /usr/lib64/httpd/modules/mod_wsgi_python3.so" in files["httpd.conf"]
    assert "ExecStart=/usr/sbin/httpd -f /etc/migrid/webdavs/httpd.conf -DFOREGROUND" in files[UNIT]
