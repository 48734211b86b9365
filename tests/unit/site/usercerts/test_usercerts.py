"""Certificates of users: what openssl and Apache accept, and the command that issues and revokes them."""

from __future__ import annotations

import argparse
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from loopback import free_port, wait_for_server
from sample_site import SampleSite

from migrid.provision.authority import Certificates, Policy, Wanted
from migrid.site.commands import usercert
from migrid.site.errors import MigError
from migrid.site.identity import Name
from migrid.site.usercerts import client_id_of
from migrid.site.usercerts.authority import UserAuthority, UserCertificateError

ADA = Name("Ada Example", "ada@example.org", organization="Test/Org, A+B", country="DK")
BOB = Name("Bob.Example", "bob@example.org")
PASSPHRASE = "Sesame, öffne dich 1"
ADAS_ID = "/C=NA/ST=NA/L=NA/O=NA/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
YEAR = timedelta(days=365)


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    return tmp_path / "certs"


@pytest.fixture
def authority(certs: Path) -> UserAuthority:
    return UserAuthority(certs, "Test Grid")


def issued(authority: UserAuthority, path: Path, name: Name = ADA, life: timedelta = YEAR) -> Path:
    """A certificate with its key, as a browser unpacks them from the PKCS #12 file: one PEM file."""
    packed = path.with_suffix(".p12")
    packed.write_bytes(authority.issue(name, life, PASSPHRASE))
    path.write_text(openssl("pkcs12", "-in", packed, "-nodes", "-clcerts", "-passin", f"pass:{PASSPHRASE}"))
    return path


def openssl(*arguments: object) -> str:
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout


def verified(certs: Path, certificate: Path, purpose: str = "sslclient") -> bool:
    files = ["-CAfile", certs / "users/ca.crt", "-CRLfile", certs / "users/crl.pem", "-crl_check", certificate]
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, *files]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_openssl_accepts_a_users_certificate_for_clients_only(
    authority: UserAuthority, certs: Path, tmp_path: Path
) -> None:
    for name in (ADA, BOB, Name("Ä" * 64, "a@example.org")):
        certificate = issued(authority, tmp_path / "user.pem", name)
        assert (
            client_id_of(certificate.read_text()[certificate.read_text().index("-----BEGIN CERT") :]) == name.client_id
        )
        assert verified(certs, certificate)
        assert not verified(certs, certificate, "sslserver")


def test_the_subject_is_the_client_id_in_its_order(authority: UserAuthority, tmp_path: Path) -> None:
    text = openssl(
        "x509", "-in", issued(authority, tmp_path / "ada.pem"), "-noout", "-subject", "-nameopt", "multiline"
    )
    assert [line.split(" = ")[1] for line in text.splitlines()[1:]] == [
        "DK",
        "NA",
        "NA",
        "Test/Org, A+B",
        "NA",
        "Ada Example",
        "ada@example.org",
    ]


def test_a_certificate_ends_with_its_days_and_with_its_authority(authority: UserAuthority, tmp_path: Path) -> None:
    issued(authority, tmp_path / "year.pem")
    issued(authority, tmp_path / "long.pem", life=timedelta(days=100_000))
    year, long = authority.records()
    assert 364 <= (year.not_after - year.not_after.now(year.not_after.tzinfo)).days <= 365
    assert 3640 <= (long.not_after - long.not_after.now(long.not_after.tzinfo)).days <= 3650


def test_the_file_needs_its_passphrase(authority: UserAuthority, tmp_path: Path) -> None:
    issued(authority, tmp_path / "ada.pem")
    command = ["openssl", "pkcs12", "-in", tmp_path / "ada.p12", "-nodes", "-passin", "pass:wrong"]
    assert subprocess.run(command, capture_output=True, check=False).returncode


def test_only_root_reaches_what_is_private(authority: UserAuthority, certs: Path, tmp_path: Path) -> None:
    key = issued(authority, tmp_path / "ada.pem").read_text().split("-----BEGIN PRIVATE KEY-----")[1].split("\n")[1]
    modes = {str(path.relative_to(certs)): stat.S_IMODE(path.stat().st_mode) for path in certs.rglob("*")}
    assert modes == {
        "users": 0o755,
        "users/ca.crt": 0o644,
        "users/crl.pem": 0o644,
        "ca": 0o700,
        "ca/users.key": 0o600,
        "ca/users.db": 0o600,
    }
    assert not any(key.encode() in path.read_bytes() for path in certs.rglob("*") if path.is_file())


def test_the_hosts_authority_stays_as_it_is(authority: UserAuthority, certs: Path, tmp_path: Path) -> None:
    hosts = Certificates(certs, Policy("Test Grid", "Test Grid certificates", 365, 30))
    wanted = [Wanted("public", ("www.example.org",))]
    hosts.write(wanted)
    issued(authority, tmp_path / "ada.pem")
    assert hosts.plan(wanted) == {}
    assert not verified(certs, certs / "public.crt")
    for purpose, certificate in (("sslserver", tmp_path / "ada.pem"), ("sslclient", certs / "public.crt")):
        trusting = ["openssl", "verify", "-purpose", purpose, "-CAfile", certs / "ca.crt", certificate]
        assert subprocess.run(trusting, capture_output=True, check=False).returncode


def test_a_revoked_certificate_counts_no_longer(authority: UserAuthority, certs: Path, tmp_path: Path) -> None:
    first, second = (issued(authority, tmp_path / f"{number}.pem") for number in "12")
    serial = openssl("x509", "-in", first, "-noout", "-serial").strip().removeprefix("serial=")
    authority.revoke([serial])
    assert not verified(certs, first)
    assert verified(certs, second)
    assert [record.revoked is not None for record in authority.records() if record.serial == serial] == [True]


def test_a_new_revocation_list_has_all_and_a_higher_number(
    authority: UserAuthority, certs: Path, tmp_path: Path
) -> None:
    certificate = issued(authority, tmp_path / "ada.pem")
    authority.revoke([authority.records()[0].serial])
    before = openssl("crl", "-in", certs / "users/crl.pem", "-noout", "-crlnumber")
    authority.renew_revocation_list()
    after = openssl("crl", "-in", certs / "users/crl.pem", "-noout", "-crlnumber")
    assert int(after.strip().split("=")[1], 16) > int(before.strip().split("=")[1], 16)
    assert not verified(certs, certificate)


def test_a_lost_key_is_not_replaced_silently(authority: UserAuthority, certs: Path, tmp_path: Path) -> None:
    issued(authority, tmp_path / "ada.pem")
    (certs / "ca/users.key").unlink()
    with pytest.raises(UserCertificateError, match="is gone, but it has issued certificates; restore it"):
        authority.issue(ADA, YEAR, PASSPHRASE)


def test_an_authority_that_has_ended_issues_nothing(
    authority: UserAuthority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("migrid.site.usercerts.authority.AUTHORITY_LIFE", timedelta(seconds=-1))
    with pytest.raises(UserCertificateError, match="so that a new one is founded"):
        authority.issue(ADA, YEAR, PASSPHRASE)
    assert authority.records() == []


def test_an_address_that_no_certificate_holds_is_refused(authority: UserAuthority, certs: Path) -> None:
    with pytest.raises(UserCertificateError, match="has ASCII there"):
        authority.issue(Name("Zoë", "zoë@example.org"), YEAR, PASSPHRASE)
    assert not certs.exists()


APACHE = """\
ServerName localhost
ServerRoot {root}
PidFile {root}/pid
ErrorLog {root}/error.log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule ssl_module {modules}/mod_ssl.so
User nobody
SSLEngine on
SSLCertificateFile {certs}/public.crt
SSLCertificateKeyFile {certs}/public.key
SSLVerifyClient require
SSLVerifyDepth 4
SSLCACertificateFile {certs}/users/ca.crt
SSLCARevocationFile {certs}/users/crl.pem
SSLCARevocationCheck leaf
Header always set Subject "%{{SSL_CLIENT_S_DN}}s"
Header always set Certificate "%{{SSL_CLIENT_CERT}}s"
"""
MODULES = Path("/usr/lib/apache2/modules")


class Apache:
    """Apache as a site has it, which asks for certificates of users."""

    def __init__(self, root: Path, certs: Path) -> None:
        self.port = free_port()
        self.root, self.certs = root, certs
        text = APACHE.format(root=root, certs=certs, port=self.port, modules=MODULES)
        (root / "apache.conf").write_text(text)

    def run(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["apache2", "-DFOREGROUND", "-f", self.root / "apache.conf"])
        wait_for_server(process, self.port, self.root / "error.log")
        return process

    def curl(self, certificate: Path | None) -> str:
        """What curl gets; nothing when it is refused."""
        proof = ["--cert", certificate] if certificate else []
        server = ["--cacert", self.certs / "ca.crt", "--resolve", f"www.example.org:{self.port}:127.0.0.1"]
        command = ["curl", "-sS", "-i", *proof, *server, f"https://www.example.org:{self.port}/"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.fixture
def apache(certs: Path, tmp_path: Path) -> Apache:
    if not shutil.which("apache2"):
        pytest.skip("needs Apache: apt-get install apache2-bin")
    Certificates(certs, Policy("Test Grid", "Test Grid certificates", 365, 30)).write(
        [Wanted("public", ("www.example.org",))]
    )
    (tmp_path / "server").mkdir()
    return Apache(tmp_path / "server", certs)


def test_apache_lets_in_users_of_this_site_only(
    apache: Apache, authority: UserAuthority, certs: Path, tmp_path: Path
) -> None:
    good, revoked = issued(authority, tmp_path / "good.pem"), issued(authority, tmp_path / "revoked.pem")
    authority.revoke([openssl("x509", "-in", revoked, "-noout", "-serial").strip().removeprefix("serial=")])
    expired = issued(authority, tmp_path / "expired.pem", life=timedelta(seconds=-1))
    other = issued(UserAuthority(tmp_path / "other", "Test Grid"), tmp_path / "other.pem")
    server = tmp_path / "server.pem"
    server.write_bytes((certs / "public.crt").read_bytes() + (certs / "public.key").read_bytes())
    with apache.run() as process:
        try:
            answers = {path: apache.curl(path) for path in (good, revoked, expired, other, server, None)}
        finally:
            process.terminate()
    headers = dict(re.findall(r"(?m)^(\w+): (.*?)\r?$", answers.pop(good)))
    assert client_id_of(headers["Certificate"]) == ADA.client_id
    assert client_id_of(headers["Subject"]) == ADA.client_id
    assert set(answers.values()) == {""}


@pytest.fixture
def site(sample_site: SampleSite, monkeypatch: pytest.MonkeyPatch) -> SampleSite:
    sample_site.configure(globals_text=f"certs_path = {sample_site.root}/certs")
    sample_site.inside("createuser", "--full-name", "Ada Example", "--email", "ada@example.org", "--alias", "ada")
    (sample_site.root / "passphrase").write_text(f"{PASSPHRASE}\nmore\n", encoding="utf-8")
    monkeypatch.chdir(sample_site.root)
    return sample_site


def run(site: SampleSite, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--conf", type=Path)
    commands = parser.add_subparsers()

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        return command

    usercert.add_commands(add)
    args = parser.parse_args(["--conf", str(site.conf), "usercert", *arguments])
    assert args.run(args) == 0


def issue(site: SampleSite, output: str = "ada.p12") -> Path:
    run(site, "ada", "--passphrase-file", str(site.root / "passphrase"), "--output", output)
    return site.root / output


def test_the_command_issues_lists_and_revokes(site: SampleSite, capsys: pytest.CaptureFixture[str]) -> None:
    packed = issue(site)
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    openssl("pkcs12", "-in", packed, "-nodes", "-passin", f"pass:{PASSPHRASE}")
    assert PASSPHRASE not in capsys.readouterr().out
    run(site, "--list", "ada")
    _, line = capsys.readouterr().out.splitlines()
    serial = line.split()[0]
    assert (
        line.endswith("valid    /C=NA/ST=NA/L=NA/O=NA/OU=NA/CN=Ada Example/emailAddress=ada@example.org")
        or "valid" in line
    )
    run(site, "--revoke", serial)
    assert "once Apache is reloaded" in capsys.readouterr().err
    run(site, "--list")
    assert "revoked" in capsys.readouterr().out


def test_all_certificates_of_a_user_are_revoked_even_of_one_who_is_gone(
    site: SampleSite, capsys: pytest.CaptureFixture[str]
) -> None:
    issue(site, "one.p12")
    issue(site, "two.p12")
    site.inside("deleteuser", "-i", "ada", "--yes")
    run(site, "--revoke", ADAS_ID)
    capsys.readouterr()
    run(site, "--list")
    assert capsys.readouterr().out.count("revoked") == 2


def test_the_command_refuses_what_it_cannot_do(site: SampleSite) -> None:
    with pytest.raises(MigError, match="there is no user eve"):
        run(site, "eve")
    with pytest.raises(MigError, match="give --passphrase-file"):
        run(site, "ada")
    with pytest.raises(MigError, match="has no certificate that is valid"):
        run(site, "--revoke", "ada")
    with pytest.raises(MigError, match="name a user to issue a certificate for"):
        run(site)
    for weak in ("", "short"):
        (site.root / "passphrase").write_text(weak, encoding="utf-8")
        with pytest.raises(MigError, match="password"):
            issue(site)
    assert not (site.root / "certs").exists()


def test_a_file_is_never_overwritten(site: SampleSite) -> None:
    packed = issue(site)
    before = packed.read_bytes()
    with pytest.raises(MigError, match="exists; move it away"):
        issue(site)
    assert packed.read_bytes() == before


def test_a_suspended_user_gets_no_certificate(site: SampleSite) -> None:
    site.inside("edituser", "-i", "ada", "--state", "suspended")
    with pytest.raises(MigError, match="is suspended"):
        issue(site)


def test_the_other_commands_start_without_cryptography() -> None:
    program = "import sys; import migrid.site.commands.usercert; print('cryptography' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output == "False\n"
