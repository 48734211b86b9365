"""`mig status` against real servers: SSH banners, and HTTPS with good and bad certificates."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from loopback import free_port
from sample_site import SampleSite

from migrid.site import status, status_page
from migrid.site.configuration import Configuration
from migrid.site.status import Result, Service, Status

NAME = "grid.example.org"


class AnyPath(http.server.BaseHTTPRequestHandler):
    """Answers HEAD /, and says which status the test asked for."""

    answer = 200

    def do_HEAD(self) -> None:
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (as in http.server)
        """Keep the test's output clean."""


class Broken(AnyPath):
    """A server that fails."""

    answer = 503


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for NAME that is its own authority."""
    directory = tmp_path_factory.mktemp("certs")
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    name = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    files = ["-keyout", "key.pem", "-out", "ca.crt"]
    subprocess.run(["openssl", "req", *kind, *name, *files], cwd=directory, check=True, capture_output=True)
    return directory


@pytest.fixture
def trust(certs: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certs / "ca.crt")


def web_server(certs: Path, handler: type[AnyPath]) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "ca.crt", certs / "key.pem")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def web(certs: Path) -> Iterator[int]:
    yield from web_server(certs, AnyPath)


@pytest.fixture
def broken_web(certs: Path) -> Iterator[int]:
    yield from web_server(certs, Broken)


def talker(greeting: bytes | None) -> Iterator[int]:
    """A server that says one thing to one client; None: nothing until the client leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                if greeting is None:
                    connection.recv(1)
                else:
                    connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.fixture
def ssh(request: pytest.FixtureRequest) -> Iterator[int]:
    yield from talker(request.param)


@pytest.mark.parametrize(
    ("ssh", "up", "detail"),
    [
        (b"SSH-2.0-OpenSSH_10.0\r\n", True, "SSH-2.0-OpenSSH_10.0"),
        (b"Hello.\r\nWelcome.\r\nSSH-2.0-x\r\n", True, "SSH-2.0-x"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "the answer is not that of an SSH server"),
        (b"", False, "the answer is not that of an SSH server"),
        (None, False, "no answer within 0.3 seconds"),
    ],
    indirect=["ssh"],
)
def test_an_ssh_service_is_up_when_it_says_its_banner(ssh: int, up: bool, detail: str, trust: ssl.SSLContext) -> None:
    service = Service("grid_sftp", "ssh", NAME, ssh)
    assert status.probe(service, trust, timeout=0.3) == Result(*service, up=up, detail=detail)


def test_a_web_service_is_up_when_its_certificate_and_answer_are_good(web: int, trust: ssl.SSLContext) -> None:
    result = status.probe(Service("public", "https", NAME, web), trust)
    assert (result.up, result.detail) == (True, "HTTP 200 OK")


def test_a_web_service_that_fails_is_down(broken_web: int, trust: ssl.SSLContext) -> None:
    result = status.probe(Service("public", "https", NAME, broken_web), trust)
    assert (result.up, result.detail) == (False, "HTTP 503 Service Unavailable")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_of_another_name_is_refused(web: int, trust: ssl.SSLContext) -> None:
    result = status.probe(Service("sid", "https", "sid.example.org", web), trust)
    assert not result.up
    assert result.detail.startswith("certificate refused: Hostname mismatch")


def test_a_certificate_of_an_unknown_authority_is_refused(web: int) -> None:
    result = status.probe(Service("public", "https", NAME, web), ssl.create_default_context())
    assert (result.up, result.detail) == (False, "certificate refused: self-signed certificate")


@pytest.fixture
def ftps(request: pytest.FixtureRequest, certs: Path) -> Iterator[int]:
    """A server that takes one client as far as TLS, if that is what it shall say."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "ca.crt", certs / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with plain:
                plain.sendall(b"220 FTPS here\r\n")
                assert plain.recv(100) == b"AUTH TLS\r\n"
                plain.sendall(request.param)
                if request.param.startswith(b"234"):
                    with suppress(OSError), context.wrap_socket(plain, server_side=True) as secured:
                        secured.recv(100)
                        secured.sendall(b"221 Goodbye\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize(
    ("ftps", "name", "up", "detail"),
    [
        (b"234 Go on\r\n", NAME, True, "220 FTPS here"),
        (b"234 Go on\r\n", "io.example.org", False, "certificate refused: Hostname mismatch"),
        (b"502 No TLS\r\n", NAME, False, "502 No TLS"),
    ],
    indirect=["ftps"],
)
def test_ftps_is_up_when_it_speaks_tls(ftps: int, name: str, up: bool, detail: str, trust: ssl.SSLContext) -> None:
    result = status.probe(Service("grid_ftps", "ftps", name, ftps), trust)
    assert (result.up, result.detail[: len(detail)]) == (up, detail)


def test_the_command_checks_what_the_configuration_switches_on(sample_site: SampleSite, certs: Path, web: int) -> None:
    unused = free_port()
    sample_site.configure(
        f"certs_path = {certs}\nmigserver_public_url = https://{NAME}:{web}/\nuser_sftp_port = {unused}"
    )
    result = sample_site.mig("status", "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 1
    assert found["up"] is False
    assert [(service["name"], service["up"], service["detail"]) for service in found["services"]] == [
        ("public", True, "HTTP 200 OK"),
        ("grid_sftp", False, "Connection refused"),
    ]
    assert f"public     up     {NAME}:{web}" in sample_site.mig("status").stdout


def test_services_follow_the_configuration() -> None:
    site = Configuration(
        **dict.fromkeys(Configuration.__dataclass_fields__)
        | {
            "server_fqdn": NAME,
            "migserver_public_url": "https://www.example.org",
            "migserver_https_sid_url": "https://[2001:db8::1]:4443/x",
            "enable_sftp": True,
            "user_sftp_port": 2222,
            "enable_sftp_subsys": True,
            "user_sftp_subsys_address": "192.0.2.1",
            "user_sftp_subsys_port": 22222,
            "enable_ftps": True,
            "user_ftps_ctrl_port": 8021,
            "enable_davs": True,
            "user_davs_address": "io.example.org",
            "user_davs_port": 4443,
        }
    )
    assert list(status.services(site)) == [
        ("public", "https", "www.example.org", 443),
        ("sid", "https", "2001:db8::1", 4443),
        ("grid_sftp", "ssh", NAME, 2222),
        ("grid_sftp_subsys", "ssh", "192.0.2.1", 22222),
        ("grid_ftps", "ftps", NAME, 8021),
        ("grid_webdavs", "https", "io.example.org", 4443),
    ]


class Page(HTMLParser):
    """What a content security policy and a screen reader look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def sample_status() -> Status:
    return Status(
        "Ada's <Grid> & Co",
        datetime(2026, 11, 21, 12, 30, 5, tzinfo=UTC),
        (
            Result("public", "https", NAME, 443, True, "HTTP 200 OK"),
            Result("grid_sftp", "ssh", NAME, 2222, False, "<script>alert(1)</script>"),
        ),
    )


def test_the_page_shows_each_service_and_when_it_was_checked(sample_status: Status, tmp_path: Path) -> None:
    status_page.write(sample_status, tmp_path / "status")
    page = Page((tmp_path / "status/index.html").read_text(encoding="utf-8"))
    assert "Ada's <Grid> & Co" in page.text
    assert "Down: grid_sftp" in page.text
    assert "2026-11-21 12:30:05 UTC" in page.text
    assert ("datetime", "2026-11-21T12:30:05+00:00") in page.attributes
    assert "<script>alert(1)</script>" in page.text
    assert json.loads((tmp_path / "status/status.json").read_text(encoding="utf-8")) == sample_status.as_dict()


def test_the_page_satisfies_the_strictest_content_policy(sample_status: Status) -> None:
    page = Page(status_page.render(sample_status))
    assert not {"script", "style", "img", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]
    links = [value for name, value in page.attributes if name in ("href", "src")]
    assert links == ["status.css", "status.json"]
    assert "url(" not in status_page.CSS
    assert "@import" not in status_page.CSS


def test_the_page_names_its_language_and_its_cells(sample_status: Status) -> None:
    page = Page(status_page.render(sample_status))
    assert ("lang", "en") in page.attributes
    assert {"main", "h1", "caption", "time"} <= set(page.tags)
    assert [value for name, value in page.attributes if name == "scope"] == ["col"] * 4 + ["row"] * 2


def test_the_page_is_replaced_and_readable_by_the_web_server(sample_status: Status, tmp_path: Path) -> None:
    status_page.write(sample_status, tmp_path)
    status_page.write(sample_status, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "status.css", "status.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}


def test_writing_the_page_succeeds_while_a_service_is_down(sample_site: SampleSite, tmp_path: Path) -> None:
    sample_site.inside("status", "--html", str(tmp_path))
    assert "Down: grid_sftp" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_written_is_named(sample_site: SampleSite) -> None:
    result = sample_site.mig("status", "--html", "/proc/none")
    assert result.returncode == 1
    assert result.stderr == "mig: cannot write the status page to /proc/none: No such file or directory\n"
