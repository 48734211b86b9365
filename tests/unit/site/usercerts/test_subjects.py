"""The user that a certificate names: exactly one, or none."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrid.site.errors import FieldError
from migrid.site.identity import ATTRIBUTES, Name
from migrid.site.usercerts import CertificateNameError, client_id_of

pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length")

KEY = ec.generate_private_key(ec.SECP256R1())
OBJECT_IDENTIFIERS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "UID": NameOID.USER_ID,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "DC": NameOID.DOMAIN_COMPONENT,
}
ADA = (
    ("C", "DK"),
    ("ST", "NA"),
    ("L", "NA"),
    ("O", "Test Org"),
    ("OU", "NA"),
    ("CN", "Ada Example"),
    ("emailAddress", "ada@example.org"),
)
ADAS_ID = "/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
Pairs = Sequence[tuple[str, str]]


def attribute(key: str, value: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> x509.NameAttribute:
    return x509.NameAttribute(OBJECT_IDENTIFIERS[key], value, kind, _validate=False)


def pem(subject: x509.Name) -> str:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(x509.Name([]), subject, KEY.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(KEY, SHA256()).public_bytes(Encoding.PEM).decode()


def certificate(pairs: Pairs) -> str:
    return pem(x509.Name([attribute(*pair) for pair in pairs]))


def printed(text: str) -> str:
    """The subject as mod_ssl gives it in SSL_CLIENT_S_DN."""
    options = "RFC2253,-esc_msb"
    command = ["openssl", "x509", "-noout", "-subject", "-nameopt", options]
    output = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return output.removeprefix("subject=").removesuffix("\n")


def refusal(text: str) -> str:
    with pytest.raises(CertificateNameError) as caught:
        client_id_of(text)
    return str(caught.value)


def with_changed(key: str, value: str) -> Pairs:
    return [(name, value if name == key else old) for name, old in ADA]


def test_a_certificate_names_its_user() -> None:
    assert client_id_of(certificate(ADA)) == ADAS_ID
    assert client_id_of(printed(certificate(ADA))) == ADAS_ID


def test_a_header_can_carry_the_certificate() -> None:
    text = certificate(ADA)
    assert client_id_of(text.replace("\n", " ")) == ADAS_ID
    assert client_id_of(text.replace("\n", "\r\n")) == ADAS_ID


def test_what_is_left_out_is_not_available() -> None:
    pairs = [("O", "Test Org"), ("CN", "Ada Example"), ("emailAddress", "ada@example.org")]
    assert client_id_of(certificate(pairs)) == ADAS_ID.replace("DK", "NA")


@pytest.mark.parametrize(
    ("field", "value"),
    [("CN", "Ada/emailAddress=eve@example.org"), ("O", "A+B=C, D"), ("O", "\\"), ("CN", "Zoë Ω 李"), ("CN", "#ada")],
)
def test_signs_in_a_value_belong_to_the_value(field: str, value: str) -> None:
    written = value.replace("\\", "\\\\").replace("/", "\\/")
    expected = "".join(f"/{key}={written if key == field else old}" for key, old in ADA)
    text = certificate(with_changed(field, value))
    assert client_id_of(text) == expected
    if value.isascii():
        assert client_id_of(printed(text)) == expected


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([*ADA, ("UID", "ada")], "object identifier"),
        ([("DC", "org"), *ADA], "object identifier"),
        ([*ADA, ("emailAddress", "eve@example.org")], "in this order, and each once"),
        ([("CN", "Eve"), *ADA], "in this order, and each once"),
        (ADA[::-1], "in this order, and each once"),
        (ADA[:-1], "a user needs an e-mail address"),
        (ADA[-1:], "a user needs a full name"),
        ([], "a user needs"),
        (with_changed("CN", "NA"), "a user needs a full name"),
        (with_changed("C", "dk"), "does not write so"),
        (with_changed("O", "Test  Org"), "does not write so"),
        (with_changed("O", " Test Org"), "does not write so"),
        (with_changed("O", ""), "does not write so"),
        (with_changed("CN", "Zoe\u0308"), "does not write so"),
        (with_changed("CN", "Ada\0Eve"), "invisible character"),
        (with_changed("CN", "Ada\u202eEve"), "invisible character"),
        (with_changed("CN", "A" * 65), "at most 64"),
        (with_changed("emailAddress", "ada"), "is not an e-mail address"),
    ],
)
def test_another_name_is_refused_with_the_reason(pairs: Pairs, reason: str) -> None:
    text = certificate(pairs)
    assert reason in refusal(text)
    refusal(printed(text))


@pytest.mark.parametrize(
    "kind", [_ASN1Type.T61String, _ASN1Type.BMPString, _ASN1Type.UniversalString, _ASN1Type.VisibleString]
)
@pytest.mark.parametrize("value", ["Ada Example", "Zoë"])
def test_other_kinds_of_strings_are_refused(kind: _ASN1Type, value: str) -> None:
    if kind is _ASN1Type.VisibleString and not value.isascii():
        return
    names = [attribute(*pair) for pair in ADA]
    names[5] = attribute("CN", value, kind)
    assert "has CN as a string of the kind" in refusal(pem(x509.Name(names)))


def test_two_attributes_in_one_are_refused() -> None:
    names = [x509.RelativeDistinguishedName([attribute(*pair)]) for pair in ADA]
    names[5] = x509.RelativeDistinguishedName([attribute("CN", "Ada Example"), attribute("UID", "eve")])
    text = pem(x509.Name(names))
    assert "two attributes in one" in refusal(text)
    assert "cannot be read from" in refusal(printed(text))


@pytest.mark.parametrize(
    "text",
    [
        ADAS_ID,
        "",
        ",",
        "CN=Ada,",
        "CN=Ada\nO=B",
        "CN=#0C03416461",
        'CN="Ada"',
        "CN=Ada\\C3\\AB",
        "CN=Zoë",
        "2.5.4.3=Ada",
    ],
)
def test_a_subject_that_cannot_be_read_exactly_is_refused(text: str) -> None:
    refusal(text)


def test_the_old_form_is_refused_with_the_remedy() -> None:
    assert "give the certificate itself (SSL_CLIENT_CERT" in refusal(ADAS_ID)


def test_damaged_certificates_are_refused() -> None:
    text = certificate(ADA)
    body = text.split("\n")[1:-2]
    for broken in ("\n".join(body[:-2]), "", "AAAA", "MIIB", "====", "MIAAAA=="):
        refusal(f"-----BEGIN CERTIFICATE-----\n{broken}\n-----END CERTIFICATE-----\n")
    refusal(text.replace("END CERTIFICATE", "END"))
    refusal(f"x{text}")


VALUES = st.text(st.sampled_from("aZ9 /+=,\\#;<>\"'@.äΩ李"), max_size=8)
KEYS = st.sampled_from(list(OBJECT_IDENTIFIERS))


@settings(max_examples=200)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=3), st.lists(VALUES, min_size=4, max_size=4), st.integers(0, 7))
@example([], ["", "", "", ""], 7)
def test_nothing_is_mistaken_for_another_name(more: Pairs, values: list[str], place: int) -> None:
    """A certificate is refused, or what it names spells out its attributes, one by one."""
    pairs = [*zip(("ST", "L", "O", "CN"), values, strict=True), ("emailAddress", "ada@example.org")]
    pairs[place:place] = more
    try:
        found = client_id_of(certificate(pairs))
    except CertificateNameError:
        return
    given_values = dict(pairs)
    assert len(given_values) == len(pairs)
    for key, value in re.findall(r"/([A-Za-z]+)=((?:[^/\\]|\\.)*)", found):
        assert given_values.pop(key, "NA") == re.sub(r"\\(.)", r"\1", value)
    assert not given_values


@settings(max_examples=60)
@given(st.lists(VALUES, min_size=5, max_size=5))
def test_both_forms_name_the_same_user(values: list[str]) -> None:
    try:
        name = Name(values[0], "ada@example.org", *values[1:])
    except FieldError:
        return
    pairs = [(attribute.key, getattr(name, attribute.field) or "NA") for attribute in ATTRIBUTES]
    text = certificate(pairs)
    assert client_id_of(text) == name.client_id
    if name.client_id.isascii():
        assert client_id_of(printed(text)) == name.client_id


@given(st.text() | st.from_regex(r"([A-Za-z]{1,3}=[ -~]{0,5},?){0,8}"))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        found = client_id_of(text)
    except CertificateNameError:
        return
    assert found.startswith("/C=")
