"""After the playbook ran when certificates were due, each service serves a new one of the same authority."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

IMPLICIT_FTPS, DAVS = 8022, 4443


@pytest.mark.parametrize(
    ("variable", "port"),
    [("mig_public_fqdn", 443), ("mig_sid_fqdn", 443), ("mig_io_fqdn", IMPLICIT_FTPS), ("mig_io_fqdn", DAVS)],
)
def test_the_new_certificate_is_served(site: Any, variable: str, port: int) -> None:
    context = ssl.create_default_context(cafile=str(site.authority))
    with (
        socket.create_connection((site.address, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=site.variables[variable]) as connection,
    ):
        certificate = connection.getpeercert()
    assert certificate
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    assert end - datetime.now(UTC) > timedelta(days=390)
