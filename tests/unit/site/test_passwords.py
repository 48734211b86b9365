"""Hashes that the host's crypt(3) accepts, and policies of passwords."""

from __future__ import annotations

import pytest

from migrid.site.errors import FieldError
from migrid.site.passwords import check_hash, check_policy, hash_password, parse_policy, verify

# openssl passwd -6 -salt saltstring "Hello world!"
SHA512 = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"


def test_a_hash_is_of_its_password_only() -> None:
    hashed = hash_password("Ærlig talt 7")
    assert hashed.startswith("$y$")
    assert check_hash(hashed) == hashed
    assert verify("Ærlig talt 7", hashed)
    assert not verify("Ærlig talt 8", hashed)
    assert hash_password("Ærlig talt 7") != hashed


def test_hashes_of_others_are_understood() -> None:
    assert verify("Hello world!", SHA512)
    assert check_hash(SHA512) == SHA512


@pytest.mark.parametrize("hashed", ["", "!", "*", "$6$", "plain", SHA512[:-1]])
def test_nothing_matches_what_is_no_hash(hashed: str) -> None:
    assert not verify("", hashed)
    assert not verify(hashed, hashed)


@pytest.mark.parametrize(
    "text",
    [
        "$y$j9T$mHYZvTL0WeRNIbxFiA8S9/$ejerLjUJ7huDRuibp/9ec.MpzonMjCoGePAWgvnUyrA",
        "$gy$j9T$7C/yFFw.e0RmLnKcpy3jL/$bVSMr5FrKvPwboKH54ZUzB/61cKrvnz8TVjpChqFCUA",
        "$7$CU..../....GYpQFmb4D6fxfwmPfWkXz.$1Mdx7ClcCxsvMiLwquqkX/dLiPLOwMPj7aqEaBjlZd1",
        "$2b$05$EAs3i1hKDFTBrtS./lYMO.N6olntd4onYr8UyuSqL/UHvSQzrnvhq",
        "$5$rounds=5000$pa82tfOUABCKm7wR$hHsGO4dAkrMJdCyWeNumvRl7SCEq41BpC8zaa10RmcD",
    ],
)
def test_accepted_shapes(text: str) -> None:
    assert check_hash(text) == text


@pytest.mark.parametrize(
    "text", ["$1$abc$0123456789012345678901", "$y$j9T$x", "{SSHA}abc", SHA512 + ":0:", SHA512 + "\n"]
)
def test_refused_shapes_are_not_shown(text: str) -> None:
    with pytest.raises(FieldError, match=r"not a crypt\(3\) hash") as caught:
        check_hash(text)
    assert text not in str(caught.value)


def test_the_form_of_mig_is_explained() -> None:
    with pytest.raises(FieldError, match="PBKDF2 form"):
        check_hash("PBKDF2$sha256$10000$YWJjZGVmZ2hpamts$YWJjZGVmZ2hpamtsYWJjZGVmZ2hpamts")


@pytest.mark.parametrize("plain", ["x" * 512, "a\nb", "a\0b", "a\ud800"])
def test_passwords_that_no_login_can_send(plain: str) -> None:
    with pytest.raises(FieldError, match="password"):
        hash_password(plain)


@pytest.mark.parametrize(
    ("policy", "good", "bad"),
    [
        ("WEAK", "abcde1", "abcdef"),
        ("MEDIUM", "Abcdefg1", "abcdefg1"),
        ("MEDIUM", "Abcdef1-", "Abcd1-"),
        ("HIGH", "Abcdefgh1-", "Abcdefghi1"),
        ("MODERN:12", "correct horse", "correct hor"),
        ("CUSTOM:5:2", "ab-cd", "abcde"),
    ],
)
def test_policies(policy: str, good: str, bad: str) -> None:
    check_policy(good, policy)
    with pytest.raises(FieldError, match=policy) as caught:
        check_policy(bad, policy)
    assert bad not in str(caught.value)


def test_no_policy_accepts_anything() -> None:
    check_policy("a", "NONE")


@pytest.mark.parametrize("policy", ["medium", "MODERN", "CUSTOM:8", "CUSTOM:8:5", ""])
def test_unknown_policies(policy: str) -> None:
    with pytest.raises(FieldError, match="is not a policy"):
        parse_policy(policy)
