"""The virtual hosts, with curl."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest


def test_http_is_redirected_to_https_of_the_same_name(site: Any) -> None:
    for variable in ("mig_public_fqdn", "mig_sid_fqdn"):
        name = site.variables[variable]
        answer = site.get(f"http://{name}/", "--head")
        assert " 301 " in answer.stdout.splitlines()[0] or " 308 " in answer.stdout.splitlines()[0]
        assert f"location: https://{name}/" in answer.stdout.lower()


def test_the_front_page_tells_the_ways_in(site: Any) -> None:
    answer = site.get(f"https://{site.variables['mig_public_fqdn']}/", "--include")
    assert answer.returncode == 0, answer.stderr
    assert site.variables["mig_title"] in html.unescape(answer.stdout)
    assert site.variables["mig_io_fqdn"] in answer.stdout
    headers = answer.stdout.lower()
    assert "strict-transport-security: max-age=31536000" in headers
    assert "x-content-type-options: nosniff" in headers
    assert "content-security-policy: " in headers


def test_public_files_are_served(site: Any, host: Any) -> None:
    state = "/home/mig/state/wwwpublic"
    host.check_output(f"printf hello > {state}/hello.txt && chown mig:mig {state}/hello.txt")
    answer = site.get(f"https://{site.variables['mig_public_fqdn']}/public/hello.txt")
    assert answer.stdout == "hello"


def test_nothing_beyond_the_public_files_is_served(site: Any, host: Any) -> None:
    host.check_output("ln -sfn /home/mig/state/user_db_home /home/mig/state/wwwpublic/escape")
    host.check_output("ln -sfn /etc/passwd /home/mig/state/wwwpublic/passwd")
    name = site.variables["mig_public_fqdn"]
    for path in ("escape/MiG-users.db", "passwd", "../user_db_home/MiG-users.db", "%2e%2e/user_db_home/MiG-users.db"):
        answer = site.get(
            f"https://{name}/public/{path}", "--path-as-is", "--output", "/dev/null", "-w", "%{http_code}"
        )
        assert answer.stdout in ("400", "403", "404"), path
    host.check_output("rm /home/mig/state/wwwpublic/escape /home/mig/state/wwwpublic/passwd")


def test_the_status_page_says_what_answers(site: Any, host: Any) -> None:
    host.check_output("systemctl start migrid-status.service")
    name = site.variables["mig_sid_fqdn"]
    page = site.get(f"https://{name}/", "--location")
    assert page.returncode == 0, page.stderr
    assert "grid_sftp" in page.stdout
    status = json.loads(site.get(f"https://{name}/status/status.json").stdout)
    assert [service["name"] for service in status["services"] if not service["up"]] == []
    assert len(status["services"]) == 7


def test_the_page_of_the_ways_in_leads_to_each(site: Any) -> None:
    page = site.get(f"https://{site.variables['mig_sid_fqdn']}/cgi-sid/login.py").stdout
    for way in ("oidc", "cert"):
        assert f'href="https://{site.variables[f"mig_{way}_fqdn"]}/"' in page
    assert "/cgi-sid/reqcert.py" in page


def test_each_virtual_host_has_its_own_certificate(site: Any) -> None:
    own = [site.variables["mig_public_fqdn"], site.variables["mig_sid_fqdn"]]
    for name, other in (own, reversed(own)):
        answer = site.get(
            f"https://{name}/", "--output", "/dev/null", "--verbose", "--connect-to", f"{name}:443:{name}:443"
        )
        assert f"CN={name}" in answer.stderr
        assert f"CN={other}" not in answer.stderr


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_old_tls_is_refused(site: Any, version: str) -> None:
    name = site.variables["mig_public_fqdn"]
    answer = site.get(f"https://{name}/", f"--tlsv{version}", "--tls-max", version, "--ciphers", "DEFAULT@SECLEVEL=0")
    assert answer.returncode == 35


def test_trace_is_refused(site: Any) -> None:
    answer = site.get(
        f"https://{site.variables['mig_public_fqdn']}/", "-X", "TRACE", "-o", "/dev/null", "-w", "%{http_code}"
    )
    assert answer.stdout == "405"
