"""Renders the role ftps for several inventories, and lets the real proftpd read and serve what comes out."""

from __future__ import annotations

import ftplib
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from loopback import free_ports, wait_for_server

ROLES = Path(__file__).parents[2] / "roles"
FAMILIES = ("Debian", "RedHat")
UNIT = "/etc/systemd/system/grid_ftps.service"
ON = {"mig_enable_ftps": True, "mig_io_fqdn": "io.mig.test"}
Files = dict[str, str]
Render = Callable[..., Files]


def proftpd() -> str:
    """Where the program is, which may be in the directories of root's."""
    found = shutil.which("proftpd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, "the tests need proftpd: apt-get install proftpd-core proftpd-mod-crypto"
    return found


@pytest.fixture(scope="module")
def evaluate(ansible_plugins: None) -> Callable[..., Any]:
    """Evaluate one variable of the role on a host of a family of distributions, for an inventory."""
    loader = DataLoader()

    def evaluate(name: str, family: str = "Debian", **inventory: Any) -> Any:
        variables: dict[str, Any] = {}
        for file in ("mig/defaults/main", "ftps/defaults/main", "ftps/vars/main", f"ftps/vars/{family}"):
            variables |= loader.load_from_file(str(ROLES / f"{file}.yml"), trusted_as_template=True)
        variables |= {"ansible_search_path": [str(ROLES / "ftps")]} | ON | inventory
        return Templar(loader, variables).template(variables[name])

    return evaluate


@pytest.fixture(scope="module")
def render(evaluate: Callable[..., Any]) -> Render:
    """All files of the role, by path."""

    def render(family: str = "Debian", **inventory: Any) -> Files:
        return {file["path"]: file["content"] for file in evaluate("__ftps_files", family, **inventory)}

    return render


@dataclass
class Server:
    """The real proftpd, with a certificate of its own, in a directory of its own."""

    directory: Path
    render: Render

    def configuration(self, **inventory: Any) -> Path:
        places = {"mig_certs": str(self.directory), "__ftps_run": str(self.directory)}
        path = self.directory / "proftpd.conf"
        path.write_text(self.render(**places, **inventory)["proftpd.conf"])
        return path

    def check(self, **inventory: Any) -> subprocess.CompletedProcess[str]:
        command = [proftpd(), "--configtest", "--config", str(self.configuration(**inventory))]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def certify(self, *key: str) -> None:
        kind = ["-x509", "-newkey", *key, "-nodes", "-days", "2", "-subj", "/CN=io.mig.test"]
        files = ["-keyout", str(self.directory / "ftps.key"), "-out", str(self.directory / "ftps.crt")]
        subprocess.run(["openssl", "req", *kind, *files], check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Server:
    server = Server(tmp_path_factory.mktemp("ftps"), render)
    server.certify("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    return server


@contextmanager
def serving(server: Server) -> Iterator[tuple[int, int]]:
    explicit, implicit = free_ports(2)
    conf = server.configuration(mig_ftps_ctrl_port=explicit, ftps_implicit_port=implicit)
    with (server.directory / "log").open("w") as log:
        process = subprocess.Popen([proftpd(), "--nodaemon", "--config", str(conf)], stderr=log, stdout=log)
    try:
        for port in (explicit, implicit):
            wait_for_server(process, port, server.directory / "log")
        yield explicit, implicit
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def ports(server: Server) -> Iterator[tuple[int, int]]:
    with serving(server) as ports:
        yield ports


def any_certificate(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


@contextmanager
def secured(port: int, version: ssl.TLSVersion) -> Iterator[ftplib.FTP_TLS]:
    with closing(ftplib.FTP_TLS(context=any_certificate(version), timeout=10)) as client:  # noqa: S321  (with TLS)
        client.connect("127.0.0.1", port)
        client.auth()
        yield client


@pytest.mark.parametrize(
    "inventory",
    [
        {},
        {"mig_ftps_address": "127.0.0.1", "ftps_public_address": "192.0.2.7"},
        {"ftps_implicit_port": 0, "mig_ftps_ctrl_port": 21, "mig_ftps_pasv_ports": "50000:50010"},
        {"mig_log_level": "debug", "ftps_umask": "0027", "ftps_max_login_attempts": 9},
    ],
)
def test_proftpd_accepts_what_comes_out(server: Server, inventory: dict[str, Any]) -> None:
    done = server.check(**inventory)
    assert done.returncode == 0, done.stderr


def test_proftpd_refuses_a_value_that_is_none(server: Server) -> None:
    done = server.check(ftps_umask="rwx")
    assert done.returncode != 0
    assert "Umask" in done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_spoken_on_request_and_from_the_first_byte(ports: tuple[int, int], version: ssl.TLSVersion) -> None:
    explicit, implicit = ports
    with secured(explicit, version) as client:
        assert client.sendcmd("NOOP").startswith("200")
    with (
        socket.create_connection(("127.0.0.1", implicit), timeout=10) as plain,
        any_certificate(version).wrap_socket(plain) as connection,
    ):
        assert connection.recv(100).startswith(b"220 FTPS of io.mig.test")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(ports: tuple[int, int], version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)), secured(ports[0], version):
        pass


def test_without_tls_no_login_begins(ports: tuple[int, int]) -> None:
    with closing(ftplib.FTP(timeout=10)) as client:  # noqa: S321  (is refused)
        client.connect("127.0.0.1", ports[0])
        with pytest.raises(ftplib.error_perm, match="SSL/TLS required"):
            client.sendcmd("USER ada@example.org")


def test_clients_open_the_data_connections(ports: tuple[int, int]) -> None:
    with secured(ports[0], ssl.TLSVersion.TLSv1_3) as client, pytest.raises(ftplib.error_perm):
        client.sendcmd("PORT 127,0,0,1,200,10")


def test_a_certificate_may_be_of_rsa(render: Render, tmp_path: Path) -> None:
    server = Server(tmp_path, render)
    server.certify("rsa:2048")
    with serving(server) as (explicit, _), secured(explicit, ssl.TLSVersion.TLSv1_3) as client:
        assert client.sendcmd("NOOP").startswith("200")


def test_the_certificate_can_be_a_file_of_the_host(render: Render) -> None:
    own = {"ftps_certificate_file": "/etc/acme/io.pem", "ftps_certificate_key_file": "/etc/acme/io.key"}
    lines = [line.split() for line in render(**own)["proftpd.conf"].splitlines()]
    assert ["TLSECCertificateFile", "/etc/acme/io.pem"] in lines
    assert ["TLSECCertificateKeyFile", "/etc/acme/io.key"] in lines


def test_the_module_that_corrupts_memory_is_never_loaded(render: Render) -> None:
    loaded = [line for line in render()["proftpd.conf"].splitlines() if "LoadModule" in line]
    assert loaded
    assert not any("shmcache" in line for line in loaded)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_file_says_where_it_comes_from(render: Render, family: str) -> None:
    unmarked = [path for path, text in render(family).items() if "# Managed by Ansible: " not in text]
    assert unmarked == []


def test_the_unit_mounts_every_file_that_needs_a_restart(render: Render, evaluate: Callable[..., Any]) -> None:
    files = render()
    mounted = {path for path in files if f"=/etc/migrid/ftps/{path}:/{path}" in files[UNIT]}
    assert set(files) - mounted - {UNIT} == set(evaluate("__ftps_reloaded_files"))


def test_only_what_a_session_and_its_login_need_is_there(render: Render) -> None:
    lines = render(mig_home="/srv/mig", mig_state="/srv/mig/state")[UNIT].splitlines()
    bound = {line.partition("=")[2] for line in lines if line.startswith("BindPaths=")}
    assert bound == {f"/srv/mig/state/{name}" for name in ("user_home", "log", "mig_system_run", "user_db_home")}
    assert {"TemporaryFileSystem=/srv/mig:ro", "PartOf=migrid.target", "WantedBy=migrid.target"} <= set(lines)
