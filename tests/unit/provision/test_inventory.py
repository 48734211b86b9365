"""A wrong inventory stops site.yml before any host is reached, with errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from migrid.provision.options import options, variable_name

PROJECT = Path(__file__).parents[3]

# Where no host answers, so that a run that gets as far as the hosts ends there.
NOWHERE: dict[str, Any] = {"ansible_host": "127.0.0.1", "ansible_port": 1}

GOOD: dict[str, Any] = {
    "mig_base_fqdn": "mig.test",
    "mig_public_fqdn": "www.mig.test",
    "mig_sid_fqdn": "sid.mig.test",
    "mig_io_fqdn": "io.mig.test",
    "mig_enable_sftp": True,
    "mig_users": [{"full_name": "Ada Example", "email": "ada@example.org"}],
}


def private_key(encryption: Any = None) -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return key, text.decode()


def certificate(key: ec.EllipticCurvePrivateKey, name: str, days: int = 90) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(days=100)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def given(host: str = "public", **entry: Any) -> dict[str, Any]:
    return {"mig_certificates": {host: entry}}


KEY, KEY_TEXT = private_key()
OTHER_KEY, OTHER_KEY_TEXT = private_key()
LOCKED_KEY_TEXT = private_key(BestAvailableEncryption(b"passphrase"))[1]
CERTIFICATE = certificate(KEY, "www.mig.test")

# Every option of a part that is not there yet, turned on.
PARTS: dict[str, Any] = {
    variable_name(name): not part.off if isinstance(part.off, bool) else "something"
    for name, part in options().not_yet.items()
}

# What is wrong, the variables that make it so (None takes one away), and what the error must say.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "misspelt": ({"mig_sftp_prot": 2223}, ["mig_sftp_prot", "did you mean mig_sftp_port?"]),
    "unknown": ({"mig_colour": "blue"}, ["mig_colour", "no role has a variable of this name"]),
    "misspelt_role_variable": ({"sftp_umsk": "0077"}, ["sftp_umsk", "did you mean sftp_umask?"]),
    "renamed": ({"mig_public_port": 80}, ["mig_public_port", "is called mig_public_http_port here"]),
    "successor": ({"mig_oid_fqdn": "ext.mig.test"}, ["mig_oid_fqdn", "is called mig_oidc_fqdn here; rename it"]),
    "not_needed": ({"mig_apache_version": "2.2"}, ["mig_apache_version: nothing has to", "2.4 or newer; remove"]),
    "ended": ({"mig_ext_oid_provider": "https://id.example.net/"}, ["mig_ext_oid_provider: OpenID 2.0 has ended"]),
    "not_yet": ({"mig_enable_jobs": True}, ["mig_enable_jobs: True asks for what is not there yet: jobs; write False"]),
    "not_yet_and_no_variable": ({"mig_enable_cloud": "yes"}, ["mig_enable_cloud: 'yes' asks for", "the cloud"]),
    "missing": ({"mig_public_fqdn": None}, ["mig_public_fqdn", "is required"]),
    "empty": ({"mig_base_fqdn": ""}, ["mig_base_fqdn: '' is not a host name", "grid.example.org"]),
    "no_number": ({"mig_sftp_port": "ssh"}, ["mig_sftp_port: 'ssh'", "give a int"]),
    "no_boolean": ({"mig_enable_hsts": "perhaps"}, ["mig_enable_hsts: 'perhaps'", "give a bool"]),
    "no_list": ({"mig_users": {"ada": {}}}, ["mig_users", "is not a list"]),
    "no_choice": ({"mig_log_level": "loud"}, ["mig_log_level: 'loud'", "one of debug, info, warning"]),
    "port_zero": ({"mig_sftp_port": 0}, ["mig_sftp_port: 0 is not a port", "1 to 65535"]),
    "port_too_high": ({"mig_sid_port": 65536}, ["mig_sid_port: 65536 is not a port", "1 to 65535"]),
    "no_host_name": ({"mig_sid_fqdn": "sid_mig.test"}, ["mig_sid_fqdn: 'sid_mig.test' is not a host name"]),
    "address_as_name": ({"mig_io_fqdn": "192.0.2.1"}, ["mig_io_fqdn: '192.0.2.1' is not a host name"]),
    "url_as_name": ({"mig_public_fqdn": "https://www.mig.test/"}, ["mig_public_fqdn", "is not a host name"]),
    "no_mail": ({"mig_support_email": "ask ada"}, ["mig_support_email: 'ask ada'", "admin@example.org"]),
    "root": ({"mig_user": "root"}, ["mig_user: 'root' would give", "write an account such as mig"]),
    "no_account": ({"mig_user": "Mig User"}, ["mig_user: 'Mig User' is not an account name"]),
    "relative": ({"mig_certs": "certs"}, ["mig_certs: 'certs' is not a plain path", "/srv/mig"]),
    "quoting": ({"mig_certs": "/etc/$(id)"}, ["mig_certs: '/etc/$(id)' is not a plain path"]),
    "line_break": ({"mig_title": "My\nSite"}, ["mig_title: 'My\\nSite' is not a title", "one line"]),
    "policy": ({"mig_password_policy": "STRONG"}, ["mig_password_policy: 'STRONG'", "NONE, WEAK, MEDIUM, HIGH"]),
    "mask": ({"sftp_umask": "0088"}, ["sftp_umask: '0088' is not an octal mask", "such as 0077"]),
    "startups": ({"sftp_max_startups": "10:30:5"}, ["sftp_max_startups: '10:30:5'", "such as 100:30:1000"]),
    "too_few": ({"sftp_max_sessions": 0}, ["sftp_max_sessions: 0 is too small", "1 or more"]),
    "no_address": ({"sftp_listen_addresses": ["eth0"]}, ["sftp_listen_addresses: 'eth0' is not an address"]),
    "template": ({"mig_title": "{{ nowhere }}"}, ["mig_title", "has no value", "nowhere"]),
    "port_twice": ({"mig_sftp_port": 443}, ["mig_sftp_port: 443 is the port of mig_public_https_port (HTTPS) too"]),
    "ftps_port_twice": (
        {"mig_enable_ftps": True, "ftps_implicit_port": 2222},
        ["ftps_implicit_port: 2222 is the port of mig_sftp_port (SFTP) too"],
    ),
    "among_data_ports": (
        {"mig_enable_ftps": True, "mig_ftps_pasv_ports": "2000:2300"},
        ["mig_sftp_port: 2222 is among mig_ftps_pasv_ports (2000:2300)", "give SFTP another one"],
    ),
    "no_range": ({"mig_ftps_pasv_ports": "8400:8100"}, ["'8400:8100' is not a range of ports", "such as 8100:8400"]),
    "no_listen_address": ({"mig_ftps_address": "eth0"}, ["mig_ftps_address: 'eth0' is not an address"]),
    "no_show_port": ({"mig_ftps_ctrl_show_port": "ftp"}, ["mig_ftps_ctrl_show_port: 'ftp' is not a port"]),
    "certificate_without_key": (
        {"ftps_certificate_file": "/etc/acme/io.pem"},
        ["ftps_certificate_key_file: is missing though ftps_certificate_file is given"],
    ),
    "certificate_in_a_home": (
        {"ftps_certificate_file": "/home/mig/io.pem", "ftps_certificate_key_file": "/etc/acme/io.key"},
        ["ftps_certificate_file: '/home/mig/io.pem' is below a directory that daemons do not see"],
    ),
    "davs_port_twice": (
        {"mig_enable_davs": True, "mig_davs_port": 2222},
        ["mig_davs_port: 2222 is the port of mig_sftp_port (SFTP) too"],
    ),
    "no_davs_address": ({"mig_davs_address": "eth0"}, ["mig_davs_address: 'eth0' is not an address", "192.0.2.1"]),
    "half_a_certificate": (
        {"webdavs_certificate_file": "/etc/acme/io.pem"},
        ["webdavs_certificate_key_file: is missing though webdavs_certificate_file is given"],
    ),
    "no_access_name": ({"mig_io_fqdn": None}, ["mig_io_fqdn: is missing though mig_enable_sftp is true"]),
    "provider_without_name": ({"mig_enable_openid": True}, ["mig_oidc_fqdn: is missing though mig_enable_openid"]),
    "name_without_provider": (
        {"mig_oidc_fqdn": "oidc.mig.test"},
        ["mig_oidc_fqdn: 'oidc.mig.test' has no provider", "mig_enable_openid"],
    ),
    "one_name_for_two_logins": (
        {"mig_cert_fqdn": "www.mig.test"},
        ["mig_cert_fqdn: 'www.mig.test' with port 443 is mig_public_fqdn", "different names, or different ports"],
    ),
    "alias_of_another": (
        {"mig_public_alias_fqdn": "sid.mig.test"},
        ["mig_public_alias_fqdn: 'sid.mig.test' with port 443 is mig_sid_fqdn", "different names, or different ports"],
    ),
    "unknown_method": ({"mig_login_methods": ["x509"]}, ["mig_login_methods", "'x509'", "migcert, extcert"]),
    "method_without_virtual_host": (
        {"mig_login_methods": ["migoidc"]},
        ["mig_login_methods: 'migoidc' has no virtual host; give mig_oidc_fqdn, or remove the method"],
    ),
    "no_authority": (
        {"mig_ext_cert_fqdn": "cert.mig.test"},
        ["apache_ext_cert_authority: is missing though mig_ext_cert_fqdn is given"],
    ),
    "bad_authority": (
        {"mig_ext_cert_fqdn": "cert.mig.test", "apache_ext_cert_authority": "/etc/ssl/ca.pem"},
        ["apache_ext_cert_authority: is not PEM text of certificates", "the file lookup"],
    ),
    "expired_authority": (
        {
            "mig_ext_cert_fqdn": "cert.mig.test",
            "apache_ext_cert_authority": CERTIFICATE + certificate(KEY, "ca.example.net", days=-1),
        },
        ["apache_ext_cert_authority: CN=ca.example.net: certificate expired on"],
    ),
    "no_provider": (
        {"mig_ext_oidc_fqdn": "ext.mig.test", "mig_ext_oidc_client_id": "mig"},
        ["mig_ext_oidc_provider_meta_url: is missing", "or mig_ext_oidc_provider_issuer and"],
    ),
    "no_address_of_a_provider": (
        {
            "mig_ext_oidc_fqdn": "ext.mig.test",
            "mig_ext_oidc_client_id": "site",
            "mig_ext_oidc_provider_meta_url": "id.example.net",
        },
        ["mig_ext_oidc_provider_meta_url: 'id.example.net' is not the address of a page", "such as https://"],
    ),
    "no_client": (
        {"mig_ext_oidc_fqdn": "ext.mig.test", "mig_ext_oidc_provider_meta_url": "https://id.example.net/meta"},
        ["mig_ext_oidc_client_id: is missing; give the name"],
    ),
    "one_virtual_host": (
        {"mig_sid_fqdn": "www.mig.test"},
        ["mig_sid_fqdn: 'www.mig.test' with port 443 is mig_public_fqdn", "different names, or different ports"],
    ),
    "state_elsewhere": ({"mig_state": "/srv/state"}, ["mig_state: '/srv/state' is not below mig_home ('/home/mig')"]),
    "user_field": (
        {"mig_users": [{"full_name": "Bo", "email": "bo@example.org", "expires": "2027-01-01"}]},
        ["mig_users[0] (Bo)", "'expires'", "expire"],
    ),
    "user_date": (
        {"mig_users": [{"full_name": "Bo", "email": "bo@example.org", "expire": "31/12/27"}]},
        ["mig_users[0] (Bo)", "'31/12/27'", "YYYY-MM-DD"],
    ),
    "same_user": (
        {"mig_users": [*GOOD["mig_users"], GOOD["mig_users"][0] | {"alias": "ada"}]},
        ["mig_users[1] (Ada Example)", "mig_users[0] (Ada Example)"],
    ),
    "certificate_alone": (given(certificate=CERTIFICATE), ["public: has a certificate without its private_key"]),
    "key_alone": (given(private_key=KEY_TEXT), ["public: has a private_key without its certificate"]),
    "wrong_key": (
        given(certificate=CERTIFICATE, private_key=OTHER_KEY_TEXT),
        ["public: private_key is not the key of the certificate"],
    ),
    "locked_key": (given(certificate=CERTIFICATE, private_key=LOCKED_KEY_TEXT), ["without a passphrase"]),
    "no_certificate": (given(certificate="www.pem", private_key=KEY_TEXT), ["certificate is not a PEM certificate"]),
    "wrong_name": (
        given("sid", certificate=CERTIFICATE, private_key=KEY_TEXT),
        ["sid: certificate is for www.mig.test, which does not cover sid.mig.test"],
    ),
    "expired": (
        given(certificate=certificate(KEY, "www.mig.test", days=-1), private_key=KEY_TEXT),
        ["public: certificate expired on", "renew it"],
    ),
    "wrong_alias": (
        {"mig_public_alias_fqdn": "mig.test", **given(certificate=CERTIFICATE, private_key=KEY_TEXT)},
        ["public: certificate is for www.mig.test, which does not cover mig.test"],
    ),
    "one_certificate_for_all": (
        {"mig_enable_vhost_certs": False, **given("site", certificate=CERTIFICATE, private_key=KEY_TEXT)},
        ["site: certificate is for www.mig.test, which does not cover sid.mig.test, io.mig.test"],
    ),
    "certificate_of_none": (
        given("publik", certificate=CERTIFICATE, private_key=KEY_TEXT),
        ["'publik' is not a virtual host", "public, sid"],
    ),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    """Run site.yml on hosts with these variables; the hosts' addresses lead nowhere."""

    def run_site(hosts: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        inventory = tmp_path_factory.mktemp("inventory") / "hosts.json"
        groups = {name: {"hosts": dict.fromkeys(hosts)} for name in ("mig_web", "mig_access", "mig_jobs")}
        site = {"hosts": {host: NOWHERE | values for host, values in hosts.items()}, "children": groups}
        inventory.write_text(json.dumps({"all": {"children": {"mig_site": site}}}))
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "site.yml"]
        environment = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)

    return run_site


@pytest.fixture(scope="module")
def report(run: Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]) -> dict[str, Any]:
    """What one run over all wrong inventories says, one host for each."""
    hosts = {"every_part": GOOD | PARTS} | {
        name: {key: value for key, value in (GOOD | wrong).items() if value is not None}
        for name, (wrong, _) in WRONG.items()
    }
    result = run(hosts)
    assert result.returncode != 0
    report: dict[str, Any] = json.loads(result.stdout[result.stdout.index("{") :])
    return report


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_inventory_is_refused_with_what_to_do(name: str, report: dict[str, Any]) -> None:
    message = report["plays"][0]["tasks"][0]["hosts"][name]["msg"]
    for words in WRONG[name][1]:
        assert words in message
    assert len(message.splitlines()) == 2, "an error too many"


def test_every_part_that_is_not_there_is_named(report: dict[str, Any]) -> None:
    lines = report["plays"][0]["tasks"][0]["hosts"]["every_part"]["msg"].splitlines()[1:]
    asked = [
        f"{name}: {PARTS[name]!r} asks for what is not there yet: {part}; write {off!r} or remove it"
        for name, (off, part) in zip(PARTS, options().not_yet.values(), strict=True)
    ]
    assert [words for words in asked if not any(words in line for line in lines)] == []
    assert len(lines) == len(asked)


def test_no_host_is_reached(report: dict[str, Any]) -> None:
    assert [len(play["tasks"]) for play in report["plays"]] == [1]
    for counts in report["stats"].values():
        assert (counts["changed"], counts["unreachable"], counts["failures"]) == (0, 0, 1)


def test_no_key_is_shown(report: dict[str, Any]) -> None:
    assert "PRIVATE KEY" not in json.dumps(report)


def test_a_good_inventory_goes_on_to_the_host(
    run: Callable[[dict[str, Any]], subprocess.CompletedProcess[str]],
) -> None:
    off = {variable_name(name): part.off for name, part in options().not_yet.items()} | {"mig_enable_cloud": "no"}
    others = {
        "mig_ext_cert_fqdn": "cert.mig.test",
        "apache_ext_cert_authority": CERTIFICATE,
        "mig_ext_oidc_fqdn": "ext.mig.test",
        "mig_ext_oidc_provider_meta_url": "http://192.0.2.1:9480/.well-known/openid-configuration",
        "mig_ext_oidc_client_id": "site",
        "mig_login_methods": ["extcert", "extoidc"],
    }
    result = run({"good": GOOD | off | others | given(certificate=CERTIFICATE, private_key=KEY_TEXT)})
    assert '"unreachable": true' in result.stdout


def test_the_example_inventory_passes() -> None:
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventories/example", "site.yml"]
    no_way = {"ansible_ssh_common_args": "-o ProxyCommand=false"}
    result = subprocess.run(
        [*command, "-e", json.dumps(no_way)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert "UNREACHABLE" in result.stdout
    assert "The inventory is wrong" not in result.stdout
