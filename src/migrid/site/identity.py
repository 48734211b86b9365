"""Who a user is: the distinguished name, the directory named after it, and the login alias.

A user's `client_id` is an X.509 distinguished name as MiG writes it,
`/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org`: always these seven
attributes in this order, `NA` for an empty one, `/` and `\\` inside a value escaped by `\\` (as
`openssl req -subj` reads them). Text is Unicode in normal form C. Lengths are the upper bounds of
X.520 (RFC 5280, appendix A), in characters.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .errors import FieldError, shown

EMPTY = "NA"
_BETWEEN = "\0"
_FILE_NAME_BYTES = 255
_ALIAS_BYTES = 128
_ALIAS_SIGNS = "._@+=~-"
_JOINERS = "\u180e\u200c\u200d"


class _Attribute(NamedTuple):
    key: str
    field: str
    limit: int


ATTRIBUTES = (
    _Attribute("C", "country", 2),
    _Attribute("ST", "province", 128),
    _Attribute("L", "locality", 128),
    _Attribute("O", "organization", 64),
    _Attribute("OU", "organizational_unit", 64),
    _Attribute("CN", "full_name", 64),
    _Attribute("emailAddress", "email", 255),
)
_FORM = "".join(f"/{attribute.key}=…" for attribute in ATTRIBUTES)


@dataclass(frozen=True)
class Name:
    """A valid distinguished name; an empty field is ''.

    Construction normalises its arguments (NFC, white space trimmed and collapsed, country in
    capitals, `NA` read as empty) and raises FieldError when one of them is not accepted.
    """

    full_name: str
    email: str
    organization: str = ""
    organizational_unit: str = ""
    locality: str = ""
    province: str = ""
    country: str = ""

    def __post_init__(self) -> None:
        for attribute in ATTRIBUTES:
            value = _normalised(attribute, getattr(self, attribute.field))
            object.__setattr__(self, attribute.field, value)
        if not self.full_name:
            raise FieldError("full_name", "a user needs a full name")
        _check_country(self.country)
        _check_email(self.email)

    @cached_property
    def client_id(self) -> str:
        """The distinguished name as text."""
        return self._joined().replace("\\", "\\\\").replace("/", "\\/").replace(_BETWEEN, "/")

    @cached_property
    def client_dir(self) -> str:
        """Name of the user's directories: one file name, different for different users.

        As in MiG, `+` stands between the attributes and `_` for a space (not in the e-mail
        address). What would be ambiguous, or cannot be in a file name or a passwd(5) field, is
        percent-encoded. A name of more than 255 bytes is cut and ends in `~` and a digest.
        """
        others, mark, email = self._joined().rpartition(f"{_BETWEEN}emailAddress=")
        others = _percent_encoded(others, "%/\\:+_").replace(" ", "_")
        name = (others + mark).replace(_BETWEEN, "+") + _percent_encoded(email, "%/\\:")
        data = name.encode()
        if len(data) <= _FILE_NAME_BYTES:
            return name
        digest = "~" + hashlib.sha256(self.client_id.encode()).hexdigest()[:32]
        return data[: _FILE_NAME_BYTES - len(digest)].decode(errors="ignore") + digest

    def _joined(self) -> str:
        return "".join(f"{_BETWEEN}{key}={getattr(self, field) or EMPTY}" for key, field, _ in ATTRIBUTES)


def parse_client_id(text: str) -> Name:
    """The name that a distinguished name spells out.

    An attribute that is left out is empty. Raises FieldError.
    """
    values: dict[str, str] = {}
    position = -1
    for key, value in _split(text):
        position = _position_after(position, key, text)
        values[ATTRIBUTES[position].field] = value
    return Name(full_name=values.pop("full_name", ""), email=values.pop("email", ""), **values)


def default_alias(name: Name) -> str:
    """The alias of a user who was given none: the e-mail address. Raises FieldError."""
    return check_alias(name.email)


def check_alias(text: str) -> str:
    """The alias as it is stored: in lower case and NFC.

    It becomes a host login, so it holds at most 128 bytes of letters, digits and `._@+=~-` and
    does not start with `-` or `.`; OpenSSH's client sends no login with an apostrophe. Raises FieldError.
    """
    if _PLAIN_ALIAS.fullmatch(text):
        return text
    alias = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    if not alias or alias[0] in "-." or not all(map(_allowed_in_alias, alias)):
        raise FieldError(
            "alias",
            f"{shown(text)} cannot be a login; give an alias of letters, digits and "
            f"{_ALIAS_SIGNS} that does not start with - or .",
        )
    if len(alias.encode()) > _ALIAS_BYTES:
        raise FieldError("alias", f"{shown(text)} is longer than {_ALIAS_BYTES} bytes; give a shorter alias")
    return alias


def is_alias(text: str) -> bool:
    """Whether `text` is an alias as it is stored."""
    if _PLAIN_ALIAS.fullmatch(text):
        return True
    try:
        return check_alias(text) == text
    except FieldError:
        return False


def check_text(field: str, text: str, limit: int) -> str:
    """`text` in NFC, trimmed, with single spaces. Raises FieldError.

    Characters that cannot be seen are refused, since two values that look the same must be the
    same; only the joiners and the separator that Persian, Hindi and Mongolian need are accepted.
    """
    text = text.strip()
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", text)
        unseen = next(filter(_is_unseen, text), None)
        if unseen is not None:
            raise FieldError(field, f"{shown(text)} holds the invisible character U+{ord(unseen):04X}; remove it")
    text = " ".join(text.split())
    if len(text) > limit:
        raise FieldError(field, f"{shown(text)} is {len(text)} characters long; at most {limit} are accepted")
    return text


_PLAIN_ALIAS = re.compile(rf"[a-z0-9_@+=~][a-z0-9{re.escape(_ALIAS_SIGNS)}]{{0,{_ALIAS_BYTES - 1}}}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"
_LABEL = r"(?:[A-Za-z0-9-]|[^\x00-\x7f])+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_RELATIVE_NAME = re.compile(r"/([A-Za-z]+)=((?:[^/\\]|\\[/\\])*)")


def _normalised(attribute: _Attribute, text: str) -> str:
    value = check_text(attribute.field, text, attribute.limit)
    if attribute.field == "country" and value.isascii():
        value = value.upper()
    return "" if value == EMPTY else value


def _check_country(country: str) -> None:
    if country and not _COUNTRY.fullmatch(country):
        raise FieldError("country", f"{shown(country)} is not a country; write its two letters, such as DK")


def _check_email(email: str) -> None:
    if not email:
        raise FieldError("email", "a user needs an e-mail address")
    if not _EMAIL.fullmatch(email):
        raise FieldError("email", f"{shown(email)} is not an e-mail address; write it as ada@example.org")


def _split(text: str) -> Iterator[tuple[str, str]]:
    end = 0
    while end < len(text):
        match = _RELATIVE_NAME.match(text, end)
        if not match:
            raise _not_a_name(text, f"cannot be read from {shown(text[end:])} on")
        yield match[1], re.sub(r"\\(.)", r"\1", match[2])
        end = match.end()


def _position_after(position: int, key: str, text: str) -> int:
    for index, attribute in enumerate(ATTRIBUTES):
        if attribute.key.lower() == key.lower():
            if index <= position:
                raise _not_a_name(text, f"has {key} twice or in the wrong place")
            return index
    raise _not_a_name(text, f"has the unknown attribute {key}")


def _not_a_name(text: str, problem: str) -> FieldError:
    return FieldError(
        "distinguished_name",
        f"{shown(text)} {problem}; write {_FORM}, with \\/ for / and \\\\ for \\ in a value",
    )


def _percent_encoded(text: str, signs: str) -> str:
    for sign in signs:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") and sign not in _JOINERS


def _allowed_in_alias(sign: str) -> bool:
    return sign in _ALIAS_SIGNS or unicodedata.category(sign)[0] in "LNM"
