"""What the container of MIGCTL does before Apache serves the page."""

from __future__ import annotations

import os
import shutil
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from migrid.migctl import tls
from migrid.migctl.page.apache import configuration
from migrid.migctl.properties import Properties


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.mkdir()
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def begin(config: Path, run: Path, **properties: str) -> subprocess.CompletedProcess[str]:
    """Begin with another program of the name apache2, which shows what it was told."""
    (run / "apache2").write_text('#!/bin/sh\necho "$@"\n')
    (run / "apache2").chmod(0o755)
    command = [sys.executable, "-m", "migrid.migctl.page", "--config", str(config), "--run", str(run)]
    environment = {**os.environ, **properties, "PATH": f"{run}:{os.environ['PATH']}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_becomes_the_server(config: Path, run: Path) -> None:
    done = begin(config, run, username="ada", password="it's ada's", port_no="8443")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"-D FOREGROUND -f {run}/httpd.conf\n"
    assert "Listen 8443\n" in (run / "httpd.conf").read_text()
    assert mode(run / "applogic.sh") == 0o600
    shell = subprocess.run(
        ["sh", "-c", '. "$1/applogic.sh"; echo "$username $password"', "sh", run], capture_output=True, check=True
    )
    assert shell.stdout == b"ada it's ada's\n"


def test_wrong_properties_are_said_and_nothing_is_made(config: Path, run: Path) -> None:
    done = begin(config, run, port_no="80800", mode="copy")
    assert done.returncode == 2
    assert all(line.startswith("migctl: ") for line in done.stderr.splitlines())
    assert "port_no '80800' is not accepted" in done.stderr
    assert "mode 'copy' is not accepted" in done.stderr
    assert list(config.iterdir()) == []


def test_a_full_or_foreign_volume_is_said(tmp_path: Path, run: Path) -> None:
    done = begin(tmp_path / "config" / "missing" / "deeper", run)
    assert (done.returncode, done.stderr) == (0, ""), "directories are made"
    (tmp_path / "file").write_text("")
    done = begin(tmp_path / "file", run)
    assert done.returncode == 1
    assert done.stderr.startswith("migctl: ")


@pytest.mark.parametrize("proxied", [False, True])
def test_apache_takes_the_configuration(config: Path, run: Path, proxied: bool) -> None:
    text = configuration(Properties(proxy_protocol=proxied), tls.make_sure(config, config / "3tera"), run)
    (run / "httpd.conf").write_text(text)
    done = subprocess.run(["apache2", "-t", "-f", run / "httpd.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_certificate_stays(config: Path) -> None:
    place = config / "3tera"
    made = tls.make_sure(config, place)
    content = [path.read_bytes() for path in made]
    assert mode(made.key) == 0o600
    assert tls.make_sure(config, place) == made
    assert [path.read_bytes() for path in made] == content
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*made)


def test_half_a_certificate_is_made_anew(config: Path) -> None:
    made = tls.make_sure(config, config / "3tera")
    made.certificate.unlink()
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*tls.make_sure(config, config / "3tera"))


def test_the_owners_own_certificate_comes_first(config: Path) -> None:
    made = tls.make_sure(config, config / "3tera")
    shutil.copy(made.certificate, config)
    assert tls.pair(config, config / "3tera") == made, "the key is missing"
    shutil.copy(made.key, config)
    assert tls.make_sure(config, config / "3tera") == (config / "certificate.pem", config / "certificate_key.pem")
