"""The sample users are what they claim to be, and every one of them is accepted."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrid.site.identity import check_alias
from migrid.site.passwords import check_policy
from migrid.site.users import UserEntry, parse_entries

FILE = Path(__file__).parents[2] / "data" / "users.yml"
RESERVED = re.compile(r"\.(test|example|invalid)$|(^|[@.])example\.(com|net|org)$|\.(δοκιμή|测试|テスト|परीक्षा)$")


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def entries(data: dict[str, Any]) -> list[UserEntry]:
    return parse_entries(data["mig_users"])


def test_there_are_two_hundred_different_users(entries: list[UserEntry]) -> None:
    assert len({entry.client_id for entry in entries}) == 200
    assert len({entry.name.client_dir for entry in entries}) == 200
    assert len({entry.alias or check_alias(entry.name.email) for entry in entries}) == 200


def test_names_are_in_many_scripts(entries: list[UserEntry]) -> None:
    letters = {letter for entry in entries for letter in entry.name.full_name if letter.isalpha()}
    scripts = {unicodedata.name(letter).split()[0] for letter in letters}
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "CJK", "HIRAGANA", "HANGUL"} <= scripts
    assert {"THAI", "DEVANAGARI", "TAMIL", "GEORGIAN", "ARMENIAN", "ETHIOPIC", "MYANMAR", "KHMER"} <= scripts
    assert len(scripts) >= 35


def test_shapes_that_break_things_are_there(data: dict[str, Any], entries: list[UserEntry]) -> None:
    names = [entry.name.full_name for entry in entries]
    given = [user.get("full_name", "") for user in data["mig_users"]]
    assert any(len(name) == 64 for name in names)
    assert any(" " not in name for name in names)
    assert any("\u200c" in name for name in names)
    assert len(names) > len(set(names))
    assert sum(not unicodedata.is_normalized("NFC", name) for name in given) >= 4
    assert sum("~" in entry.name.client_dir for entry in entries) >= 3
    assert {"/", "+", "=", "&"} <= set("".join(entry.name.organization for entry in entries))


def test_nobody_real_can_be_reached(entries: list[UserEntry]) -> None:
    assert [entry.name.email for entry in entries if not RESERVED.search(entry.name.email)] == []


def test_twenty_can_log_in_with_a_password_of_the_file(data: dict[str, Any], entries: list[UserEntry]) -> None:
    passwords = {entry.alias or check_alias(entry.name.email): entry.password for entry in entries}
    assert len(set(data["sample_logins"])) == 20
    for login in data["sample_logins"]:
        check_policy(passwords[login] or "", "MEDIUM")
