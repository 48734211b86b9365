"""Pages that Python makes, and virtual hosts that ask for a certificate, in the real Apache."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible.errors import AnsibleError
from authorities import Authority
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from loopback import free_ports, wait_until

SAMPLE = """\
import json, os

def create_app():
    def pages(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/json")])
        names = "MIG_LOGIN_METHOD", "SSL_CLIENT_CERT", "SCRIPT_NAME", "PATH_INFO"
        told = {name: environ.get(name, "") for name in names}
        return [json.dumps({**told, "uid": os.geteuid(), "pid": os.getpid()}).encode()]
    return pages
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of an authority, and of people whom it or another one gave a certificate."""
    directory = tmp_path_factory.mktemp("people")
    directory.chmod(0o755)
    ours, theirs = Authority("Ours"), Authority("Ours")
    authority, revoked = directory / "authority.pem", directory / "revoked.pem"
    authority.write_bytes(ours.certificate.public_bytes(Encoding.PEM))
    files = {"good": ours.issue(directory, "good")[0], "stranger": theirs.issue(directory, "stranger")[0]}
    files["revoked"], certificate = ours.issue(directory, "revoked")
    revoked.write_bytes(ours.revoke(certificate))
    return {**files, "authority": authority, "revocation_list": revoked}


@pytest.fixture(scope="module")
def site(new_site: Callable[..., Any], people: dict[str, Path], open_directory: Path) -> Iterator[Any]:
    code = open_directory / "code"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", code / "venv"], check=True)
    [packages] = (code / "venv/lib").glob("python*/site-packages")
    (packages / "sample_pages.py").write_text(SAMPLE)
    http_port, port = free_ports(2)
    pages = [{"path": "/wsgi-bin/", "application": "sample_pages"}]
    certificates = {"authority": str(people["authority"]), "revocation_list": str(people["revocation_list"])}
    site = new_site(
        mig_code=str(code),
        mig_public_http_port=http_port,
        mig_public_https_port=port,
        mig_sid_port=port,
        apache_extra_virtual_hosts=[
            {
                "name": "known",
                "fqdn": "cert.grid.example.org",
                "port": port,
                "client_certificates": certificates,
                "environment": {"MIG_LOGIN_METHOD": "migcert"},
                "locations": pages,
            },
            {"name": "open", "fqdn": "open.grid.example.org", "port": port, "locations": pages},
        ],
    )
    command = ["apache2", "-D", "FOREGROUND", "-d", str(site.set), "-f", "MiG.conf"]
    with subprocess.Popen(command) as server:
        try:
            assert wait_until(lambda: answers(site, "open"))
            yield site
        finally:
            server.terminate()


def port_of(site: Any) -> int:
    return int(site.inventory["mig_public_https_port"])


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        assert self.status == 200
        content: dict[str, Any] = json.loads(self.body)
        return content


def ask(site: Any, name: str, host: str | None = None, certificate: Path | None = None) -> Answer:
    """Ask the virtual host of this name, or in its name for another one."""
    fqdn, port = f"{name}.grid.example.org", port_of(site)
    context = site.tls()
    if certificate:
        context.load_cert_chain(certificate)
    plain = socket.create_connection(("127.0.0.1", port), 10)
    with plain, context.wrap_socket(plain, server_hostname=fqdn) as secure:
        connection = http.client.HTTPConnection(fqdn, port)
        connection.sock = secure
        asked_for = f"{host or name}.grid.example.org:{port}"
        connection.request("GET", "/wsgi-bin/dashboard.py", headers={"Host": asked_for})
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())


def answers(site: Any, name: str) -> bool:
    try:
        return bool(ask(site, name).status)
    except OSError:
        return False


def test_a_page_is_made_by_the_account_of_the_site(site: Any) -> None:
    page = ask(site, "open").told
    assert page["uid"] == pwd.getpwnam(site.inventory["mig_user"]).pw_uid
    assert (page["SCRIPT_NAME"], page["PATH_INFO"]) == ("/wsgi-bin", "/dashboard.py")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have processes of several accounts")
def test_workers_are_of_another_account(site: Any) -> None:
    page = ask(site, "open").told
    parent = Path(f"/proc/{page['pid']}/stat").read_text().split()[3]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    owners = {Path(f"/proc/{child}").stat().st_uid for child in children}
    assert owners == {pwd.getpwnam(site.inventory[name]).pw_uid for name in ("mig_user", "mig_web_user")}


def test_who_has_a_certificate_of_the_authority_gets_in(site: Any, people: dict[str, Path]) -> None:
    page = ask(site, "cert", certificate=people["good"]).told
    assert page["MIG_LOGIN_METHOD"] == "migcert"
    shown = x509.load_pem_x509_certificate(page["SSL_CLIENT_CERT"].encode())
    assert shown.subject.rfc4514_string() == "CN=good"


@pytest.mark.parametrize("who", [None, "stranger", "revoked"])
def test_others_do_not(site: Any, people: dict[str, Path], who: str | None) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(site, "cert", certificate=people[who] if who else None)


def test_nobody_gets_in_by_another_name(site: Any) -> None:
    assert ask(site, "open", host="cert").status in (403, 421)


def test_a_page_without_a_certificate_says_nothing_of_one(site: Any) -> None:
    page = ask(site, "open").told
    assert (page["MIG_LOGIN_METHOD"], page["SSL_CLIENT_CERT"]) == ("", "")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"locations": [{"path": "/a/", "application": "os; import"}]}, "is not the name of a Python module"),
        ({"environment": {"a b": "c"}}, "'a b' is not a variable in capital letters"),
    ],
)
def test_what_is_no_name_is_refused(render: Callable[..., Any], part: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleError, match=words):
        render(apache_extra_virtual_hosts=[{"name": "x", "fqdn": "x.example.org", **part}])


def test_red_hat_loads_its_own_module(render: Callable[..., Any]) -> None:
    host = {"name": "x", "fqdn": "x.example.org", "locations": [{"path": "/a/", "application": "migrid.site.portal"}]}
    files = render("RedHat", apache_extra_virtual_hosts=[host])
    assert "LoadModule wsgi_module /usr/lib64/httpd/modules/mod_wsgi_python3.so\n" in files["MiG.conf"]
    assert "User apache\n" in files["MiG.conf"]
