"""Passwords: hashed by the host's own crypt(3), so that PAM checks them without our code.

Shapes of hashes are those of crypt(5). Policies are MiG's: at least so many characters of at least
so many classes (lower case, upper case, digits, others).
"""

from __future__ import annotations

import ctypes
import hmac
import re
from functools import cache
from typing import NamedTuple

from .errors import FieldError, MigError, shown

NO_POLICY = "NONE"
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_METHODS = (b"$y$", b"$6$")
_OUTPUT_BYTES = 384
_SCRATCH_BYTES = 32768
_LONGEST_PASSWORD = 511

_B64 = "[./0-9A-Za-z]"
_HASH = re.compile(
    rf"\$g?y\${_B64}+\${_B64}{{1,86}}\${_B64}{{43}}"
    rf"|\$7\${_B64}{{11,97}}\${_B64}{{43}}"
    rf"|\$2[aby]\$[0-9]{{2}}\${_B64}{{53}}"
    rf"|\$6\$(?:rounds=[1-9][0-9]{{3,8}}\$)?{_B64}{{1,16}}\${_B64}{{86}}"
    rf"|\$5\$(?:rounds=[1-9][0-9]{{3,8}}\$)?{_B64}{{1,16}}\${_B64}{{43}}"
)


class Policy(NamedTuple):
    """What a password needs: characters, and how many classes they are from."""

    length: int
    classes: int


_POLICIES = {
    NO_POLICY: Policy(0, 0),
    "WEAK": Policy(6, 2),
    "MEDIUM": Policy(8, 3),
    "HIGH": Policy(10, 4),
}
_PARAMETRIC_POLICY = re.compile(r"MODERN:([0-9]{1,3})|CUSTOM:([0-9]{1,3}):([0-4])")


def hash_password(plain: str) -> str:
    """The crypt(3) hash of a password with a fresh salt: yescrypt, or SHA-512 where crypt(3) has none.

    Raises FieldError for a password that crypt(3) or a login prompt cannot take.
    """
    data = _checked(plain).encode()
    for method in _METHODS:
        setting = _setting(method)
        hashed = setting and _crypt(data, setting)
        if hashed:
            return hashed.decode()
    raise MigError(f"crypt(3) of this host knows none of {', '.join(map(bytes.decode, _METHODS))}")


def verify(plain: str, hashed: str) -> bool:
    """Whether `plain` is the password of `hashed`, compared in constant time."""
    try:
        computed = _crypt(_checked(plain).encode(), hashed.encode())
    except FieldError:
        return False
    return computed is not None and hmac.compare_digest(computed, hashed.encode())


def is_hash(text: str) -> bool:
    """Whether `text` has the shape of a hash that is accepted."""
    return _HASH.fullmatch(text) is not None


def check_hash(text: str) -> str:
    """`text`, if it is a crypt(3) hash. Raises FieldError, which does not show it."""
    if is_hash(text):
        return text
    if text.startswith("PBKDF2$"):
        raise FieldError(
            "password_hash",
            "is MiG's PBKDF2 form, which the host's login services cannot check; "
            "set a new password, or give its crypt(3) hash",
        )
    raise FieldError(
        "password_hash",
        "is not a crypt(3) hash of type $y$, $gy$, $7$, $2b$, $6$ or $5$; make one with: mkpasswd --method=yescrypt",
    )


def parse_policy(text: str) -> Policy:
    """The policy that MiGserver.conf names. Raises FieldError."""
    if text in _POLICIES:
        return _POLICIES[text]
    match = _PARAMETRIC_POLICY.fullmatch(text)
    if not match:
        raise FieldError(
            "password_policy",
            f"{shown(text)} is not a policy; write NONE, WEAK, MEDIUM, HIGH, MODERN:<characters> "
            "or CUSTOM:<characters>:<classes>",
        )
    return Policy(int(match[1] or match[2]), int(match[3] or 1))


def check_policy(plain: str, policy: str) -> None:
    """Raise FieldError if the site's policy refuses the password."""
    length, classes = parse_policy(policy)
    _checked(plain)
    if len(plain) < length:
        raise FieldError("password", f"is too short: the site's policy {policy} asks for {length} characters")
    if len(set(map(_class_of, plain))) < classes:
        raise FieldError(
            "password",
            f"is too simple: the site's policy {policy} asks for {classes} of lower case, "
            "upper case, digits and other characters",
        )


def _checked(plain: str) -> str:
    if len(plain.encode(errors="replace")) > _LONGEST_PASSWORD:
        raise FieldError("password", f"is longer than {_LONGEST_PASSWORD} bytes")
    if any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in plain):
        raise FieldError("password", "holds a line break or another control character")
    return plain


def _class_of(sign: str) -> str:
    if sign.islower():
        return "lower"
    if sign.isupper():
        return "upper"
    return "digit" if sign.isdigit() else "other"


@cache
def _library() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt_rn.restype = ctypes.c_char_p
        library.crypt_gensalt_rn.restype = ctypes.c_char_p
        library.crypt_gensalt_rn.argtypes = [
            ctypes.c_char_p,
            ctypes.c_ulong,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
        ]
        return library
    raise MigError(f"this host has no crypt(3) library ({' or '.join(_LIBRARIES)}); install libcrypt")


def _setting(method: bytes) -> bytes | None:
    output = ctypes.create_string_buffer(_OUTPUT_BYTES)
    setting: bytes | None = _library().crypt_gensalt_rn(method, 0, None, 0, output, _OUTPUT_BYTES)
    return setting


def _crypt(plain: bytes, setting: bytes) -> bytes | None:
    scratch = ctypes.create_string_buffer(_SCRATCH_BYTES)
    hashed: bytes | None = _library().crypt_rn(plain, setting, scratch, _SCRATCH_BYTES)
    return hashed
