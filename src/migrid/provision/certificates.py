"""What can be wrong with the certificates that an inventory gives. Runs on the control node, with cryptography."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .authority import public_bytes


def certificate_problems(certificates: Mapping[str, Any], names: Mapping[str, Collection[str]]) -> Iterator[str]:
    """What is wrong with ``certificates``, which are as the variable ``mig_certificates`` documents.

    ``names`` are the host names that each certificate of a virtual host has to cover. No message holds a key.
    """
    for host, entry in certificates.items():
        if host not in names:
            yield f"{host!r} is not a virtual host; the virtual hosts are {', '.join(names)}"
        elif not isinstance(entry, Mapping):
            yield f"{host}: is not a dictionary; give certificate and private_key"
        elif complaint := _complaint(entry, names[host]):
            yield f"{host}: {complaint}"


def _complaint(entry: Mapping[str, Any], names: Collection[str]) -> str | None:
    stray = sorted(set(entry) - {"certificate", "private_key"})
    if stray:
        return f"{', '.join(map(repr, stray))} is not known; give certificate and private_key"
    for part, other in (("private_key", "certificate"), ("certificate", "private_key")):
        if not entry.get(part):
            return f"has a {other} without its {part}; give both as PEM texts" if entry.get(other) else "is empty"
    try:
        certificate = x509.load_pem_x509_certificates(str(entry["certificate"]).encode())[0]
    except ValueError:
        return "certificate is not a PEM certificate; give its text, for example with the file lookup"
    try:
        key = load_pem_private_key(str(entry["private_key"]).encode(), password=None)
    except (ValueError, TypeError):
        return "private_key is not a PEM private key without a passphrase; remove the passphrase or give the right text"
    if public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
        return "private_key is not the key of the certificate; give the two that belong together"
    return _validity_complaint(certificate) or _name_complaint(certificate, names)


def _validity_complaint(certificate: x509.Certificate) -> str | None:
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc <= now:
        return f"certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it"
    if certificate.not_valid_before_utc > now:
        return f"certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return None


def _name_complaint(certificate: x509.Certificate, names: Collection[str]) -> str | None:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        covered = extension.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        covered = []
    missing = [name for name in names if not any(_covers(pattern.lower(), name.lower()) for pattern in covered)]
    if not missing:
        return None
    return f"certificate is for {', '.join(covered) or 'no DNS name'}, which does not cover {', '.join(missing)}"


def authority_complaint(text: str) -> str | None:
    """What is wrong with ``text`` as the certificates of an authority; None: nothing."""
    try:
        chain = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return "is not PEM text of certificates; give the text, for example with the file lookup"
    for certificate in chain:
        if complaint := _validity_complaint(certificate):
            return f"{certificate.subject.rfc4514_string()}: {complaint}"
    return None


def _covers(pattern: str, name: str) -> bool:
    """Whether a DNS name of a certificate covers a host name (RFC 6125, 6.4.3: ``*`` stands for one whole label)."""
    if pattern.startswith("*."):
        return "." in name and name.split(".", 1)[1] == pattern[2:]
    return pattern == name
