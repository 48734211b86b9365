"""What a user notices: the rendered configuration in the real Apache on the loopback address."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.template import trust_as_template
from loopback import free_ports, wait_for_server, wait_until

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"


def lines_with(mark: str, log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if mark in line]


class Behind(BaseHTTPRequestHandler):
    """A server behind the proxy that answers what it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} proxy={self.headers.get('Proxy')}".encode())

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture(scope="module")
def behind() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Behind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def site(behind: int, new_site: Callable[..., Any]) -> Iterator[Any]:
    http, https, sid, other = free_ports(4)
    site = new_site(
        mig_title="Grid & friends",
        mig_public_http_port=http,
        mig_public_https_port=https,
        mig_sid_port=sid,
        apache_acme_directory="",
        apache_extra_virtual_hosts=[
            {
                "name": "extra",
                "fqdn": "extra.grid.example.org",
                "port": other,
                "content_security_policy": 'quote " percent % backslash \\',
                "locations": [
                    {"path": "/moved", "redirect": "/elsewhere", "status": 308},
                    {"path": "/proxy/", "proxy": f"http://127.0.0.1:{behind}/", "headers": {"X-Way": "proxied"}},
                    {"path": "/gone/", "refuse": 410},
                    {"path": "/list/", "directory": trust_as_template("{{ mig_state }}/wwwpublic"), "listing": True},
                ],
            }
        ],
    )
    site.ports = {"http": http, "public": https, "sid": sid, "extra": other}
    make_content(site.root / "state")
    server = subprocess.Popen(["apache2", "-d", str(site.set), "-f", "MiG.conf", "-D", "FOREGROUND"])
    try:
        wait_for_server(server, https, site.root / "error.log")
        yield site
    finally:
        server.terminate()
        server.wait(20)


def make_content(state: Path) -> None:
    public, status = state / "wwwpublic", state / "webserver_home/status"
    for directory in (public, status, public / "folder"):
        directory.mkdir(parents=True)
    (status / "index.html").write_text("all is well")
    (public / "page.html").write_text("<p>ours</p>")
    (public / "program.py").write_text("print('executed')")
    (public / "include.shtml").write_text('<!--#exec cmd="id" -->')
    (public / ".secret").write_text("secret")
    (state / "database").write_text("secret")
    (public / "out").symlink_to(state / "database")
    (public / "folder/up").symlink_to("../..")
    (public / "inside").symlink_to("page.html")


@pytest.fixture
def public(site: Any) -> str:
    return f"https://www.grid.example.org:{site.ports['public']}"


@pytest.fixture
def extra(site: Any) -> str:
    return f"https://extra.grid.example.org:{site.ports['extra']}"


def test_front_page_has_the_title_and_the_security_headers(site: Any, public: str) -> None:
    page = site.ask(f"{public}/")
    assert page.status == 200
    assert "<h1>Grid &amp; friends</h1>" in page.body
    expected = {
        "strict-transport-security": "max-age=31536000",
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "server": "Apache",
    }
    assert {name: page.headers.get(name) for name in expected} == expected


def test_errors_have_the_security_headers_too(site: Any, public: str) -> None:
    page = site.ask(f"{public}/no-such-page")
    assert (page.status, page.headers["content-security-policy"]) == (404, POLICY)
    assert "<h1>Not found</h1>" in page.body


@pytest.mark.parametrize("name", ["www", "sid", "extra"])
def test_plain_http_sends_each_name_to_its_own_port(site: Any, name: str) -> None:
    port = site.ports["public" if name == "www" else name]
    answer = site.ask(f"http://{name}.grid.example.org:{site.ports['http']}/a%20b/?c=d%26e")
    assert answer.status == 301
    assert answer.headers["location"] == f"https://{name}.grid.example.org:{port}/a%20b/?c=d%26e"


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1", "grid.example.org", "www.grid.example.org.evil.com"])
def test_an_unknown_name_is_refused_and_not_redirected(site: Any, host: str) -> None:
    answer = site.ask(f"http://{host}:{site.ports['http']}/")
    assert (answer.status, answer.headers.get("location")) == (421, None)
    secure = site.ask(f"https://{host}:{site.ports['public']}/", name="www.grid.example.org")
    assert (secure.status, secure.headers.get("location")) == (421, None)
    assert "Grid" not in secure.body


def test_each_virtual_host_shows_its_own_certificate(site: Any) -> None:
    for name, port in (("www", site.ports["public"]), ("sid", site.ports["sid"]), ("extra", site.ports["extra"])):
        host = f"{name}.grid.example.org"
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        with site.tls().wrap_socket(raw, server_hostname=host) as secure:
            assert secure.getpeercert()["subjectAltName"] == (("DNS", host),)


def shake_hands(site: Any, version: str) -> str | None:
    """Connect with one version of TLS only; the version, or None when the server refuses."""
    client = site.tls()
    client.set_ciphers("ALL:@SECLEVEL=0")  # so that it is the server that refuses
    client.minimum_version = ssl.TLSVersion.TLSv1
    client.maximum_version = ssl.TLSVersion[version]
    raw = socket.create_connection(("127.0.0.1", site.ports["public"]), timeout=10)
    try:
        with client.wrap_socket(raw, server_hostname="www.grid.example.org") as secure:
            return secure.version()
    except ssl.SSLError:
        return None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_only_tls_1_2_and_1_3(site: Any) -> None:
    assert shake_hands(site, "TLSv1_1") is None
    assert shake_hands(site, "TLSv1_2") == "TLSv1.2"
    assert shake_hands(site, "TLSv1_3") == "TLSv1.3"


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_ciphers_without_forward_secrecy_or_aead_are_refused(site: Any, cipher: str) -> None:
    client = site.tls()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(f"{cipher}:@SECLEVEL=0")
    raw = socket.create_connection(("127.0.0.1", site.ports["public"]), timeout=10)
    with pytest.raises(ssl.SSLError):
        client.wrap_socket(raw, server_hostname="www.grid.example.org")


@pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "POST", "OPTIONS"])
def test_static_pages_are_only_read(site: Any, public: str, method: str) -> None:
    assert site.ask(f"{public}/public/page.html", method=method).status == 405


def test_public_files_are_served_and_not_sniffed(site: Any, public: str) -> None:
    page = site.ask(f"{public}/public/page.html")
    assert (page.status, page.body) == (200, "<p>ours</p>")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "style-src 'self' 'unsafe-inline'" in page.headers["content-security-policy"]
    assert site.ask(f"{public}/public").headers["location"] == f"{public}/public/"


@pytest.mark.parametrize(("name", "content"), [("program.py", "print("), ("include.shtml", "<!--#exec")])
def test_public_files_are_not_executed(site: Any, public: str, name: str, content: str) -> None:
    assert site.ask(f"{public}/public/{name}").body.startswith(content)


@pytest.mark.parametrize("path", ["out", "inside", "folder/up/database", "folder/up/wwwpublic/page.html"])
def test_symbolic_links_are_not_followed(site: Any, public: str, path: str) -> None:
    answer = site.ask(f"{public}/public/{path}")
    assert answer.status == 403
    assert "secret" not in answer.body


@pytest.mark.parametrize("path", ["../database", "%2e%2e/database", "..%2fdatabase", "folder/../../database"])
def test_nobody_climbs_out_of_the_public_files(site: Any, public: str, path: str) -> None:
    answer = site.ask(f"{public}/public/{path}")
    assert answer.status in (400, 403, 404)
    assert "secret" not in answer.body


@pytest.mark.parametrize("path", [".secret", ".git/config", "%2esecret", ".htaccess"])
def test_names_that_begin_with_a_dot_do_not_exist(site: Any, public: str, path: str) -> None:
    assert site.ask(f"{public}/public/{path}").status == 404


def test_directories_are_listed_only_where_asked(site: Any, public: str, extra: str) -> None:
    assert site.ask(f"{public}/public/").status == 403
    assert "page.html" in site.ask(f"{extra}/list/").body


def test_status_page_and_the_reserved_prefix_of_sid(site: Any) -> None:
    sid = f"https://sid.grid.example.org:{site.ports['sid']}"
    assert site.ask(f"{sid}/").headers["location"] == f"{sid}/status/"
    assert site.ask(f"{sid}/status/").body == "all is well"
    assert site.ask(f"{sid}/cgi-sid/login.py").status == 404
    assert site.ask(f"{sid}/page.html").status == 404


def test_other_kinds_of_locations(site: Any, extra: str) -> None:
    moved = site.ask(f"{extra}/moved")
    assert (moved.status, moved.headers["location"]) == (308, f"{extra}/elsewhere")
    assert site.ask(f"{extra}/moved-not").status == 404
    assert site.ask(f"{extra}/gone/away").status == 410
    proxied = site.ask(f"{extra}/proxy/page", Proxy="http://evil.example.com")
    assert (proxied.headers["x-way"], proxied.body) == ("proxied", "/page proxy=None")


def test_a_policy_arrives_as_it_was_written(site: Any, extra: str) -> None:
    assert site.ask(f"{extra}/").headers["content-security-policy"] == 'quote " percent % backslash \\'


def test_the_log_names_the_virtual_host(site: Any, public: str) -> None:
    mark = f"mark-{os.getpid()}"
    site.ask(f"{public}/{mark}")
    line = wait_until(lambda: next(iter(lines_with(mark, site.root / "access.log")), None))
    assert line.split()[0] == f"www.grid.example.org:{site.ports['public']}"
