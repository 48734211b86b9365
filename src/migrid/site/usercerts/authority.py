"""The authority whose certificates prove who a user is.

It is another one than the authority of the virtual hosts (`migrid.provision.authority`), with a key of its own and
nothing above it. So a server's certificate can never be a user's, nor the other way round, by the one thing that no
server or browser leaves out: each is trusted for one of the two. The hosts' authority could have none below it either
(its path length is 0), and whoever imported it to trust the site's pages would trust every certificate of a user for
web pages. Should somebody import this one by mistake, it is good for clients only: authority and certificates have the
extended key usage clientAuth (RFC 5280, 4.2.1.12). Name constraints against hosts would say it once more, but OpenSSL
then refuses users whose common name looks like a host's, such as `Ada.Example`.

`users/ca.crt` and `users/crl.pem` in the directory of the site's certificates are for Apache; `ca/users.key` and
`ca/users.db` can be reached by root alone. A user's key exists only in the PKCS #12 file (RFC 7292) that is handed out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...files import write_new
from ...provision.authority import (
    AUTHORITY_LIFE,
    NAME_LIMIT,
    NO_USAGE,
    certificate_builder,
    end_of,
    key_identifier,
    public_bytes,
)
from ..errors import MigError
from ..identity import ATTRIBUTES, EMPTY, Name
from .records import Record, Records

REVOCATION_LIST_LIFE = timedelta(days=30)
_OBJECT_IDENTIFIERS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}


class UserCertificateError(MigError):
    """A certificate cannot be issued or revoked."""


class UserAuthority:
    """The authority below `directory`, that of the site's certificates; founded by the first method that needs it.

    Methods raise UserCertificateError, StoreError and OSError.
    """

    def __init__(self, directory: Path, organization: str) -> None:
        self._public = directory / "users"
        self._private = directory / "ca"
        self._organization = organization
        self._certificate_path = self._public / "ca.crt"
        self._key_path = self._private / "users.key"
        self._records_path = self._private / "users.db"

    def issue(self, name: Name, life: timedelta, passphrase: str) -> bytes:
        """A new certificate for a user, with its key and the authority's certificate: a PKCS #12 file."""
        subject = _subject(name)
        with self._opened_records() as records, records.transaction():
            authority, signer = self._authority(records)
            key = ec.generate_private_key(ec.SECP256R1())
            builder = certificate_builder(
                subject, authority.subject, key.public_key(), min(life, self._left(authority))
            )
            certificate = _signed(builder, authority, signer)
            records.add(Record(_serial(certificate), name.client_id, end_of(certificate)))
        encryption = BestAvailableEncryption(passphrase.encode())
        label = name.full_name.encode()
        return pkcs12.serialize_key_and_certificates(label, key, certificate, [authority], encryption)

    def records(self) -> list[Record]:
        """All certificates that were issued."""
        if not self._records_path.exists():
            return []
        with Records(self._records_path) as records:
            return records.all()

    def revoke(self, serials: Iterable[str]) -> None:
        """Let certificates count no longer, and renew the revocation list."""
        with self._opened_records() as records, records.transaction():
            for serial in serials:
                records.revoke(serial, _now())
            self._write_revocation_list(records, *self._authority(records))

    def renew_revocation_list(self) -> None:
        """Issue the revocation list again, for another 30 days."""
        self.revoke(())

    @contextmanager
    def _opened_records(self) -> Iterator[Records]:
        for directory, mode in ((self._public, 0o755), (self._private, 0o700)):
            if not directory.exists():
                directory.mkdir(parents=True)
                directory.chmod(mode)
        with Records(self._records_path) as records:
            yield records

    def _authority(self, records: Records) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if not self._key_path.exists():
            if records.all():
                raise UserCertificateError(f"{self._key_path} is gone, but it has issued certificates; restore it")
            self._found(records)
        key = load_pem_private_key(self._key_path.read_bytes(), password=None)
        authority = x509.load_pem_x509_certificate(self._certificate_path.read_bytes())
        belongs = public_bytes(key.public_key()) == public_bytes(authority.public_key())
        if not (belongs and isinstance(key, ec.EllipticCurvePrivateKey)):
            raise UserCertificateError(
                f"{self._key_path} is not the key of {self._certificate_path}; restore the two that belong together"
            )
        return authority, key

    def _left(self, authority: x509.Certificate) -> timedelta:
        """How long the authority is still valid."""
        left = end_of(authority) - _now()
        if left <= timedelta():
            raise UserCertificateError(
                f"the authority for users ended on {end_of(authority):%Y-%m-%d}; move {self._key_path} and "
                f"{self._records_path} away, so that a new one is founded"
            )
        return left

    def _found(self, records: Records) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._organization[:NAME_LIMIT]),
                x509.NameAttribute(NameOID.COMMON_NAME, "Users"),
            ]
        )
        certificate = (
            certificate_builder(subject, subject, key.public_key(), AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(**NO_USAGE | {"key_cert_sign": True, "crl_sign": True}), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(key, SHA256())
        )
        _replace(self._certificate_path, certificate.public_bytes(Encoding.PEM), 0o644)
        self._write_revocation_list(records, certificate, key)
        _replace(self._key_path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)

    def _write_revocation_list(
        self, records: Records, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey
    ) -> None:
        now = _now()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.subject)
            .last_update(now)
            .next_update(now + REVOCATION_LIST_LIFE)
            .add_extension(x509.CRLNumber(records.next_list_number()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier(key_identifier(authority), None, None), critical=False)
        )
        for record in records.all():
            if record.revoked:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder()
                    .serial_number(int(record.serial, 16))
                    .revocation_date(record.revoked)
                    .build()
                )
        content = builder.sign(signer, SHA256()).public_bytes(Encoding.PEM)
        _replace(self._public / "crl.pem", content, 0o644)


def _subject(name: Name) -> x509.Name:
    """The client id as X.509 has it: each attribute by itself, in the same order."""
    if not name.email.isascii():
        raise UserCertificateError(
            f"the e-mail address {name.email} cannot be in a certificate, which has ASCII there (RFC 2985, 5.2.1); "
            "give the user one in ASCII: mig edituser --email"
        )
    values = {_OBJECT_IDENTIFIERS[attribute.key]: getattr(name, attribute.field) or EMPTY for attribute in ATTRIBUTES}
    with warnings.catch_warnings(action="ignore"):  # cryptography counts bytes, but X.520 and Name characters
        return x509.Name([x509.NameAttribute(kind, value, _validate=False) for kind, value in values.items()])


def _signed(
    builder: x509.CertificateBuilder, authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier(key_identifier(authority), None, None)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**NO_USAGE | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, SHA256())
    )


def _serial(certificate: x509.Certificate) -> str:
    number = certificate.serial_number
    return number.to_bytes((number.bit_length() + 7) // 8).hex().upper()


def _replace(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.new")
    write_new(fresh, content, mode)
    fresh.rename(path)


def _now() -> datetime:
    return datetime.now(UTC)
