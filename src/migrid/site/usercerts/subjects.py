"""Which user a certificate names: exactly the one whose client id has its attributes and values, or nobody.

The subject is a sequence of relative distinguished names (RFC 5280, 4.1.2.4). It names a user when each of them has one
attribute, of the seven and in the order of a client id, with a value that is written as there. One that is left out is
`NA`, as in MiG. Nothing is guessed: values in character sets whose conversion is not exact (T61String, BMPString,
UniversalString) are refused, and so are two attributes in one, another order, other attributes and repeated ones.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from ..errors import FieldError, MigError, shown
from ..identity import ATTRIBUTES, EMPTY, Name

Pairs = Sequence[tuple[str, str]]

_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----(?:\s.*)?", re.DOTALL)
_SET, _VERSION = 0x31, 0xA0
_ENCODINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}
"""UTF8String, PrintableString and IA5String, by their tags (X.690, X.680)."""

_IDENTIFIERS = {
    bytes.fromhex("550406"): "C",
    bytes.fromhex("550408"): "ST",
    bytes.fromhex("550407"): "L",
    bytes.fromhex("55040a"): "O",
    bytes.fromhex("55040b"): "OU",
    bytes.fromhex("550403"): "CN",
    bytes.fromhex("2a864886f70d010901"): "emailAddress",
}
"""Object identifiers of X.520 and of PKCS #9 (RFC 2985), as in DER."""

_PAIR = re.compile(r'([A-Za-z]+)=((?!#(?!,|\Z))(?:[^\\,+"<>;]|\\[\\,+"<>; #=])*)(,|\Z)')
_POSITIONS = {attribute.key: position for position, attribute in enumerate(ATTRIBUTES)}
_GIVE_CERTIFICATE = "give the certificate itself (SSL_CLIENT_CERT, which Apache has with SSLOptions +ExportCertData)"


class CertificateNameError(MigError):
    """The subject of a certificate is not the name of a user."""


def client_id_of(certificate: str) -> str:
    """The client id of the user that a certificate names. Raises CertificateNameError.

    `certificate` is PEM text (mod_ssl: SSL_CLIENT_CERT). The subject alone (SSL_CLIENT_S_DN, RFC 2253) is accepted in
    ASCII, since the kinds of its strings are lost. Its older form, `/C=…/CN=…`, is not: it does not escape a '/' in a
    value, so that `CN=Ada/emailAddress=eve@example.org` reads as two attributes.
    """
    if "-----BEGIN" in certificate:
        return _client_id(list(_subject(certificate)))
    return _client_id(_pairs(certificate))


def _client_id(pairs: Pairs) -> str:
    _check_order([key for key, _ in pairs])
    fields = {ATTRIBUTES[_POSITIONS[key]].field: value for key, value in pairs}
    try:
        name = Name(**{"full_name": "", "email": "", **fields})
    except FieldError as error:
        raise CertificateNameError(f"the certificate's subject names no user: {error}") from error
    for field, value in fields.items():
        if value != (getattr(name, field) or EMPTY):
            raise CertificateNameError(
                f"the certificate's subject has the {field} {shown(value)}, which a client id does not write so; "
                f"it would be {shown(getattr(name, field) or EMPTY)}"
            )
    return name.client_id


def _check_order(keys: Sequence[str]) -> None:
    positions = [_POSITIONS.get(key, -1) for key in keys]
    if -1 in positions:
        raise CertificateNameError(
            f"the certificate's subject has the attribute {keys[positions.index(-1)]}; "
            f"the name of a user has {', '.join(_POSITIONS)} only"
        )
    if positions != sorted(set(positions)):
        raise CertificateNameError(
            f"the certificate's subject has {', '.join(keys)}; the name of a user has {', '.join(_POSITIONS)} in this "
            "order, and each once"
        )


def _pairs(text: str) -> Pairs:
    """The attributes of a subject as RFC 2253 writes it: the last one first."""
    pairs = []
    position, separator = 0, ","
    if text.startswith("/") or not text.isascii():
        raise CertificateNameError(f"the subject {shown(text)} cannot be read exactly; {_GIVE_CERTIFICATE}")
    while separator:
        match = _PAIR.match(text, position)
        if not match:
            raise CertificateNameError(
                f"the subject {shown(text)} cannot be read from {shown(text[position:])} on; {_GIVE_CERTIFICATE}"
            )
        pairs.append((match[1], re.sub(r"\\(.)", r"\1", match[2])))
        position, separator = match.end(), match[3]
    return pairs[::-1]


def _subject(pem: str) -> Iterator[tuple[str, str]]:
    """The attributes of a certificate's subject (RFC 5280, 4.1), which a TLS server has verified."""
    match = _PEM.fullmatch(pem)
    try:
        if not match:
            raise ValueError
        der = base64.b64decode("".join(match[1].split()), validate=True)
        ((_, certificate),) = _elements(der)
        to_be_signed, _, _ = _elements(certificate)
        parts = [content for tag, content in _elements(to_be_signed[1]) if tag != _VERSION]
        for tag, relative_name in _elements(parts[4]):
            yield _attribute(tag, relative_name)
    except (ValueError, IndexError, binascii.Error):
        raise CertificateNameError("the certificate is damaged; it is no X.509 certificate in PEM") from None


def _attribute(tag: int, relative_name: bytes) -> tuple[str, str]:
    (_, pair), *others = _elements(relative_name)
    if tag != _SET:
        raise ValueError("the subject is no sequence of sets")
    if others:
        raise CertificateNameError("the certificate's subject has two attributes in one relative distinguished name")
    (_, identifier), (kind, value) = _elements(pair)
    key = _IDENTIFIERS.get(identifier, f"with the object identifier {identifier.hex()} (in DER)")
    if kind not in _ENCODINGS:
        raise CertificateNameError(
            f"the certificate's subject has {key} as a string of the kind {kind}; a UTF8String, a PrintableString "
            "or an IA5String is accepted"
        )
    return key, value.decode(_ENCODINGS[kind])


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and content of each element of DER text (X.690, 8.1). Raises ValueError or IndexError."""
    while data:
        length, start = data[1], 2
        if length > 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start])
        elif length == 0x80:
            raise ValueError("indefinite lengths are no DER")
        if len(data) < start + length:
            raise ValueError("the element is cut")
        yield data[0], data[start : start + length]
        data = data[start + length :]
