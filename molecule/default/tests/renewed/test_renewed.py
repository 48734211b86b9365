"""After the playbook ran when certificates were due, Apache serves new ones of the same authority."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.mark.parametrize("variable", ["mig_public_fqdn", "mig_sid_fqdn"])
def test_the_new_certificate_is_served(site: Any, variable: str) -> None:
    name = site.variables[variable]
    context = ssl.create_default_context(cafile=str(site.scratch / "ca.crt"))
    with (
        socket.create_connection((site.address, 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert()
    assert certificate
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    assert end - datetime.now(UTC) > timedelta(days=390)
