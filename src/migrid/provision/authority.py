"""The certificates of a site's virtual hosts, given by the inventory or issued by the site's own authority.

One directory holds ``NAME.crt`` (the certificate with its chain, mode 0644) and ``NAME.key`` (mode 0600) for each name,
``ca.crt`` for those who want to trust the authority, and ``ca/ca.key``, which only root can reach. Runs on hosts, with
the distribution's ``cryptography`` (version 36 or newer).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..files import write_new

AUTHORITY = "ca"
AUTHORITY_LIFE = timedelta(days=3650)
NAME_LIMIT = 64  # characters of a common or organization name (X.520, ub-common-name)
NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


class CertificateError(Exception):
    """A certificate that cannot be used; the message says why and what to do. Nothing has changed."""


@dataclass(frozen=True)
class Wanted:
    """The certificate that a virtual host needs: for DNS ``names``, or the PEM texts given by the inventory."""

    name: str
    names: tuple[str, ...]
    certificate: str | None = None
    private_key: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the inventory gives the certificate, so that none is issued."""
        return self.certificate is not None


@dataclass(frozen=True)
class Policy:
    """How the site's authority is called, and for how many days it issues and renews before the end."""

    organization: str
    authority: str
    days: int
    renew_days: int


class Certificates:
    """The certificates in ``directory``.

    Raises:
        CertificateError: when a given certificate and its key do not belong together.
    """

    def __init__(self, directory: Path, policy: Policy) -> None:
        self.directory = directory
        self.policy = policy

    def plan(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """What :meth:`write` would do: the name of each certificate that changes, and why."""
        reasons = {}
        if not all(want.is_given for want in wanted) and (reason := self._fault(AUTHORITY)):
            reasons[AUTHORITY] = reason
        for want in wanted:
            fault = self._fault_of_given(want) if want.is_given else self._fault_of_issued(want, AUTHORITY in reasons)
            if fault:
                reasons[want.name] = fault
        return reasons

    def write(self, wanted: Sequence[Wanted]) -> dict[str, str]:
        """Write, issue and renew what ``wanted`` needs. What an earlier run issued stays, for a service may use it."""
        reasons = self.plan(wanted)
        if not reasons:
            return {}
        self._make_directories()
        if AUTHORITY in reasons:
            self._write_pair(AUTHORITY, *self._found_authority())
        for want in wanted:
            if want.name in reasons:
                self._write_pair(want.name, *(_given(want) if want.is_given else self._issue(want)))
        return reasons

    def plan_removal(self, wanted: Iterable[Wanted]) -> dict[str, str]:
        """What :meth:`remove` would remove."""
        names = self._issued_names() | {want.name for want in wanted if want.is_given} | {AUTHORITY}
        there = [name for name in sorted(names) if any(path.exists() for path in self._paths(name))]
        return dict.fromkeys(there, "it is removed")

    def remove(self, wanted: Iterable[Wanted]) -> dict[str, str]:
        """Remove the authority, what it issued, and the given certificates of ``wanted``; nothing else."""
        reasons = self.plan_removal(wanted)
        for name in reasons:
            for path in self._paths(name):
                path.unlink(missing_ok=True)
        for directory in (self.directory / AUTHORITY, self.directory):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        return reasons

    def _paths(self, name: str) -> tuple[Path, Path]:
        key = self.directory / AUTHORITY if name == AUTHORITY else self.directory
        return self.directory / f"{name}.crt", key / f"{name}.key"

    def _fault(self, name: str) -> str | None:
        """Why the pair called ``name`` cannot stay, seen without its use."""
        certificate_path, key_path = self._paths(name)
        if not (certificate_path.exists() and key_path.exists()):
            return "there is none"
        if not _is_private(key_path):
            return "its key can be read by others than root"
        try:
            certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
            key = load_pem_private_key(key_path.read_bytes(), password=None)
        except (ValueError, TypeError):
            return "it is damaged"
        if public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
            return "its key is another one"
        end = end_of(certificate)
        return f"it ends on {end:%Y-%m-%d}" if end < _now() + timedelta(days=self.policy.renew_days) else None

    def _fault_of_issued(self, want: Wanted, authority_changes: bool) -> str | None:
        if fault := self._fault(want.name):
            return fault
        if authority_changes:
            return "the authority is new"
        certificate = _read(self._paths(want.name)[0])
        if _issuer_key(certificate) != key_identifier(_read(self._paths(AUTHORITY)[0])):
            return "another authority issued it"
        return None if _dns_names(certificate) == set(want.names) else "the names have changed"

    def _fault_of_given(self, want: Wanted) -> str | None:
        contents = _given(want)
        certificate_path, key_path = self._paths(want.name)
        if not (certificate_path.exists() and key_path.exists()):
            return "there is none"
        if not _is_private(key_path):
            return "its key can be read by others than root"
        same = contents == (certificate_path.read_bytes(), key_path.read_bytes())
        return None if same else "the inventory gives another one"

    def _issued_names(self) -> set[str]:
        """The names of the certificates that the authority in this directory issued."""
        authority_path, _ = self._paths(AUTHORITY)
        if not authority_path.exists():
            return set()
        identifier = key_identifier(_read(authority_path))
        others = [path for path in self.directory.glob("*.crt") if path != authority_path]
        return {path.stem for path in others if _is_issued_by(path, identifier)}

    def _found_authority(self) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _distinguished_name(self.policy.organization, self.policy.authority)
        builder = (
            certificate_builder(subject, subject, key.public_key(), AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**NO_USAGE | {"key_cert_sign": True, "crl_sign": True}), critical=True)
        )
        return _pem(builder.sign(key, SHA256()), key)

    def _issue(self, want: Wanted) -> tuple[bytes, bytes]:
        authority_path, authority_key_path = self._paths(AUTHORITY)
        authority = _read(authority_path)
        signer = load_pem_private_key(authority_key_path.read_bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise CertificateError(f"{authority_key_path} is not a key that this project made; move it away")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _distinguished_name(self.policy.organization, want.names[0])
        identifier = x509.AuthorityKeyIdentifier(key_identifier(authority), None, None)
        builder = (
            certificate_builder(subject, authority.subject, key.public_key(), timedelta(days=self.policy.days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**NO_USAGE | {"digital_signature": True}), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in want.names]), critical=False)
            .add_extension(identifier, critical=False)
        )
        return _pem(builder.sign(signer, SHA256()), key)

    def _make_directories(self) -> None:
        for directory, mode in ((self.directory, 0o755), (self.directory / AUTHORITY, 0o700)):
            if not directory.exists():
                directory.mkdir(parents=True)
                directory.chmod(mode)

    def _write_pair(self, name: str, certificate: bytes, key: bytes) -> None:
        """Write both files beside the live ones, then rename both, so that a crash hardly ever leaves half a pair."""
        certificate_path, key_path = self._paths(name)
        pair = ((certificate_path, certificate, 0o644), (key_path, key, 0o600))
        for path, content, mode in pair:
            write_new(_fresh(path), content, mode)
        for path, _, _ in pair:
            _fresh(path).rename(path)


def _given(want: Wanted) -> tuple[bytes, bytes]:
    certificate, key = f"{want.certificate}".strip() + "\n", f"{want.private_key}".strip() + "\n"
    try:
        public = public_bytes(x509.load_pem_x509_certificate(certificate.encode()).public_key())
        same = public == public_bytes(load_pem_private_key(key.encode(), password=None).public_key())
    except (ValueError, TypeError):
        raise CertificateError(f"{want.name}: give certificate and private_key as PEM, without a passphrase") from None
    if not same:
        raise CertificateError(f"{want.name}: private_key is not the key of the certificate; give the two that match")
    return certificate.encode(), key.encode()


def certificate_builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    """What all certificates of an authority have: valid from now on, since clocks differ from an hour ago on."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - timedelta(hours=1))
        .not_valid_after(_now() + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _distinguished_name(organization: str, common_name: str) -> x509.Name:
    """The common name is left out where it is too long; clients look at the alternative names only."""
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:NAME_LIMIT])]
    if len(common_name) <= NAME_LIMIT:
        names.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(names)


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


def _fresh(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _is_private(path: Path) -> bool:
    status = path.stat()
    return stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()


def _is_issued_by(path: Path, key_identifier: bytes) -> bool:
    try:
        return _issuer_key(_read(path)) == key_identifier
    except ValueError:
        return False


def _issuer_key(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None


def key_identifier(authority: x509.Certificate) -> bytes:
    """What the certificates of an authority name its key by (RFC 5280, 4.2.1.2)."""
    return authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _dns_names(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(extension.value.get_values_for_type(x509.DNSName))


def public_bytes(key: object) -> bytes:
    """What two public keys are compared by: the DER text of their SubjectPublicKeyInfo (RFC 5280, 4.1.2.7)."""
    spki: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return spki


def end_of(certificate: x509.Certificate) -> datetime:
    """When a certificate stops to be valid."""
    if hasattr(certificate, "not_valid_after_utc"):  # cryptography 42
        return certificate.not_valid_after_utc
    return certificate.not_valid_after.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)
