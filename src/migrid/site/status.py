"""Which services of the site answer: found out as a client would, by talking to them.

Each service is tried on this host first and at its configured address second, so that the check works
where the site's names are not known and where the site spreads over several hosts.
"""

from __future__ import annotations

import ftplib
import http.client
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from .configuration import Configuration
from .errors import ConfigurationError

THIS_HOST = "127.0.0.1"
TIMEOUT_SECONDS = 5.0
LONGEST_BANNER = 255  # RFC 4253, section 4.2
LINES_BEFORE_BANNER = 20

Protocol = Literal["https", "http", "ssh", "ftps"]


class Service(NamedTuple):
    """One thing a client can connect to. `name` is that of its virtual host or daemon."""

    name: str
    protocol: Protocol
    host: str
    port: int


@dataclass(frozen=True)
class Result:
    """What a service answered: `detail` is its answer, or why there was none."""

    name: str
    protocol: str
    host: str
    port: int
    up: bool
    detail: str


@dataclass(frozen=True)
class Status:
    """The results of all services of a site at one time (UTC)."""

    title: str
    checked: datetime
    services: tuple[Result, ...]

    @property
    def up(self) -> bool:
        return all(result.up for result in self.services)

    def as_dict(self) -> dict[str, object]:
        """For JSON: `checked` is ISO 8601 in UTC."""
        return {
            "title": self.title,
            "checked": self.checked.isoformat(timespec="seconds"),
            "up": self.up,
            "services": [asdict(result) for result in self.services],
        }


def services(site: Configuration) -> Iterator[Service]:
    """Every service that the site's configuration switches on."""
    web = {
        "public": site.migserver_public_url,
        "mig_oidc": site.migserver_https_mig_oidc_url,
        "sid": site.migserver_https_sid_url,
    }
    yield from (_web_service(name, url) for name, url in web.items() if url)
    if site.enable_sftp:
        yield Service("grid_sftp", "ssh", site.user_sftp_address or site.server_fqdn, site.user_sftp_port)
    if site.enable_sftp_subsys:
        address = site.user_sftp_subsys_address or site.server_fqdn
        yield Service("grid_sftp_subsys", "ssh", address, site.user_sftp_subsys_port)
    if site.enable_ftps:
        yield Service("grid_ftps", "ftps", site.user_ftps_address or site.server_fqdn, site.user_ftps_ctrl_port)
    if site.enable_davs:
        yield Service("grid_webdavs", "https", site.user_davs_address or site.server_fqdn, site.user_davs_port)


def check(site: Configuration, timeout: float = TIMEOUT_SECONDS) -> Status:
    """Try all services at once. `timeout` is in seconds, for each step of a connection."""
    wanted = tuple(services(site))
    trust = _trust(site.certs_path)
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        results = pool.map(lambda service: probe(service, trust, timeout), wanted)
        return Status(site.title, datetime.now(UTC), tuple(results))


def probe(service: Service, trust: ssl.SSLContext, timeout: float = TIMEOUT_SECONDS) -> Result:
    """Talk to one service; certificates are verified for its name with `trust`."""
    try:
        with _connect(service, timeout) as connection:
            if service.protocol == "ssh":
                up, detail = _ask_ssh(connection)
            elif service.protocol == "ftps":
                up, detail = _ask_ftps(service, connection, trust)
            else:
                up, detail = _ask_web(service, connection, trust)
    except ssl.SSLCertVerificationError as error:
        up, detail = False, f"certificate refused: {error.verify_message}"
    except TimeoutError:
        up, detail = False, f"no answer within {timeout:g} seconds"
    except (OSError, EOFError, http.client.HTTPException, ftplib.Error) as error:
        up, detail = False, getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Result(*service, up=up, detail=detail)


def _web_service(name: str, url: str) -> Service:
    parts = urlsplit(url)
    if parts.scheme == "https":
        return Service(name, "https", parts.hostname or "", parts.port or 443)
    return Service(name, "http", parts.hostname or "", parts.port or 80)


def _trust(certs_path: Path) -> ssl.SSLContext:
    """The system's authorities and the site's own, where it has one."""
    context = ssl.create_default_context()
    authority = certs_path / "ca.crt"
    try:
        context.load_verify_locations(authority)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigurationError(f"cannot use the certificate in {authority}: {error}; replace it") from error
    return context


def _connect(service: Service, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((THIS_HOST, service.port), timeout)
    except OSError as local_error:
        try:
            return socket.create_connection((service.host, service.port), timeout)
        except socket.gaierror:
            raise local_error from None


def _ask_ssh(connection: socket.socket) -> tuple[bool, str]:
    with connection.makefile("rb") as answer:
        for _ in range(LINES_BEFORE_BANNER):
            line = answer.readline(LONGEST_BANNER)
            if line.startswith(b"SSH-"):
                return True, line.decode("ascii", "replace").strip()
    return False, "the answer is not that of an SSH server"


def _ask_ftps(service: Service, connection: socket.socket, trust: ssl.SSLContext) -> tuple[bool, str]:
    """Explicit TLS (RFC 4217), as far as a client gets without a login."""
    client = ftplib.FTP_TLS(context=trust)  # noqa: S321  (with TLS)
    client.host, client.sock, client.af = service.host, connection, connection.family
    client.file = connection.makefile("r", encoding="utf-8", errors="replace")
    with client:
        welcome = client.getresp()
        client.auth()
        return True, welcome


def _ask_web(service: Service, connection: socket.socket, trust: ssl.SSLContext) -> tuple[bool, str]:
    client = http.client.HTTPConnection(service.host, service.port)
    if service.protocol == "https":
        client.sock = trust.wrap_socket(connection, server_hostname=service.host)
    else:
        client.sock = connection
    client.request("HEAD", "/", headers={"User-Agent": "mig status", "Connection": "close"})
    response = client.getresponse()
    return response.status < 500, f"HTTP {response.status} {response.reason}".strip()
