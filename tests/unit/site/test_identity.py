"""Distinguished names, directory names and aliases."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from migrid.site.errors import FieldError
from migrid.site.identity import Name, check_alias, default_alias, is_alias, parse_client_id

LETTERS = st.characters(categories=("L", "M", "N", "P", "S", "Zs"), exclude_characters="\u200c\u200d")
TEXTS = st.text(st.one_of(st.sampled_from(" /\\+=_%:'.~NA"), LETTERS), max_size=30)
EMAILS = st.from_regex(r"[a-z0-9_+/'=%~-]{1,12}(\.[a-z]{1,3})?@[a-z0-9-]{1,9}(\.[a-zæ]{2,5}){0,2}", fullmatch=True)


def some_name(draw: st.DrawFn) -> Name:
    texts = {
        field: draw(TEXTS) for field in ("full_name", "organization", "organizational_unit", "locality", "province")
    }
    country = draw(st.sampled_from(["", "DK", "se", "NA"]))
    try:
        return Name(email=draw(EMAILS), country=country, **texts)
    except FieldError:
        assume(False)
        raise


NAMES = st.composite(some_name)()


@given(NAMES)
def test_a_name_is_read_back_from_its_text(name: Name) -> None:
    assert parse_client_id(name.client_id) == name


@given(NAMES, NAMES)
def test_different_names_have_different_texts_and_directories(one: Name, other: Name) -> None:
    assert (one == other) == (one.client_id == other.client_id) == (one.client_dir == other.client_dir)


@given(NAMES)
def test_a_directory_name_is_one_safe_file_name(name: Name) -> None:
    assert name.client_dir.startswith("+C=")
    assert len(name.client_dir.encode()) <= 255
    assert not set("/\\:\0\n ") & set(name.client_dir)


@given(st.sampled_from(["organization", "full_name", "locality"]), TEXTS, TEXTS)
def test_one_field_decides_the_directory(field: str, one: str, other: str) -> None:
    fields = {"full_name": "Ada Example", "email": "ada@example.org"}
    try:
        first, second = Name(**{**fields, field: one}), Name(**{**fields, field: other})
    except FieldError:
        assume(False)
        raise
    assert (getattr(first, field) == getattr(second, field)) == (first.client_dir == second.client_dir)


def test_the_form_is_that_of_mig() -> None:
    name = Name("Ada Example", "a_da@example.org", organization="Test Org", country="dk")
    assert name.client_id == "/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=a_da@example.org"
    assert name.client_dir == "+C=DK+ST=NA+L=NA+O=Test_Org+OU=NA+CN=Ada_Example+emailAddress=a_da@example.org"


def test_signs_with_a_meaning_stay_apart() -> None:
    name = Name("Ada O'Hara", "a+b/c@example.org", organization="A/B \\ C+D=E_F 100%:x")
    assert "/O=A\\/B \\\\ C+D=E_F 100%:x/" in name.client_id
    assert "+O=A%2FB_%5C_C%2BD=E%5FF_100%25%3Ax+" in name.client_dir
    assert name.client_dir.endswith("+CN=Ada_O'Hara+emailAddress=a+b%2Fc@example.org")


def test_composed_and_decomposed_text_is_the_same_name() -> None:
    composed = Name("Zoë Ångström", "zoë@example.org")
    decomposed = Name(*(unicodedata.normalize("NFD", text) for text in ("Zoë Ångström", "zoë@example.org")))
    assert decomposed == composed
    assert decomposed.client_dir == composed.client_dir
    assert default_alias(decomposed) == default_alias(composed) == "zoë@example.org"


def test_a_long_directory_name_is_cut_at_a_character_and_stays_unique() -> None:
    one = Name("語" * 64, "ada@example.org", organization="機" * 40)
    other = Name("語" * 63 + "文", "ada@example.org", organization="機" * 40)
    assert len(one.client_dir.encode()) <= 255
    assert one.client_dir[:-32] == other.client_dir[:-32]
    assert one.client_dir[-33] == "~"
    assert one.client_dir != other.client_dir


def test_white_space_is_trimmed_and_collapsed() -> None:
    assert Name("  Ada \u00a0  Example ", "ada@example.org\n").full_name == "Ada Example"


def test_na_is_the_empty_value() -> None:
    assert Name("Ada", "ada@example.org", country="NA", organization="NA") == Name("Ada", "ada@example.org")


def test_attributes_may_be_left_out_of_a_text() -> None:
    name = parse_client_id("/C=DK/O=Test Org/CN=Ada Example/emailAddress=ada@example.org")
    assert name == Name("Ada Example", "ada@example.org", organization="Test Org", country="DK")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("full_name", "", "needs a full name"),
        ("full_name", "x" * 5000, "5000 characters long; at most 64"),
        ("full_name", "Ada\nExample", "invisible character U+000A"),
        ("full_name", "Ada\u202eelpmaxE", "invisible character U+202E"),
        ("full_name", "Ada\ud800", "invisible character U+D800"),
        ("country", "DNK", "at most 2"),
        ("country", "D1", "two letters"),
        ("country", "ß", "two letters"),
        ("email", "", "needs an e-mail address"),
        ("email", "ada", "not an e-mail address"),
        ("email", "ada@example..org", "not an e-mail address"),
        ("email", "a da@example.org", "not an e-mail address"),
        ("email", "a@" + "é" * 250 + "!", "not an e-mail address"),
        ("locality", "x" * 129, "at most 128"),
    ],
)
def test_what_is_not_accepted(field: str, value: str, reason: str) -> None:
    fields = {"full_name": "Ada Example", "email": "ada@example.org", field: value}
    with pytest.raises(FieldError) as caught:
        Name(**fields)
    assert caught.value.field == field
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Ada Example", "cannot be read"),
        ("/CN=Ada/C=DK/emailAddress=a@b.c", "in the wrong place"),
        ("/CN=Ada/CN=Bo/emailAddress=a@b.c", "twice"),
        ("/CN=Ada/UID=7/emailAddress=a@b.c", "unknown attribute UID"),
        ("/CN=A\\da/emailAddress=a@b.c", "cannot be read"),
        ("/CN=Ada" * 1000, "twice"),
    ],
)
def test_texts_that_are_no_names(text: str, reason: str) -> None:
    with pytest.raises(FieldError, match=reason) as caught:
        parse_client_id(text)
    assert caught.value.field == "distinguished_name"


@given(st.text(max_size=140))
def test_an_accepted_alias_is_stable_and_safe(text: str) -> None:
    try:
        alias = check_alias(text)
    except FieldError:
        return
    assert check_alias(alias) == alias
    assert is_alias(alias)
    assert alias[0] not in "-."
    assert not set("/:\0\n\t ") & set(alias)
    assert len(alias.encode()) <= 128


@pytest.mark.parametrize(
    ("text", "alias"),
    [
        ("Ada", "ada"),
        ("Zoe\u0308@Example.org", "zoë@example.org"),
        ("李雷", "李雷"),
        ("ohara+x=y~z-1", "ohara+x=y~z-1"),
    ],
)
def test_aliases_are_stored_in_lower_case_and_composed(text: str, alias: str) -> None:
    assert check_alias(text) == alias


@pytest.mark.parametrize(
    "text", ["", "-ada", ".ada", "a/b", "a:b", "a b", "a#b@example.org", "o'hara", "a\nb", "é" * 65, "a\u202eb"]
)
def test_aliases_that_cannot_be_logins(text: str) -> None:
    with pytest.raises(FieldError, match="alias"):
        check_alias(text)
    assert not is_alias(text)


@pytest.mark.parametrize("full_name", ["ᠵᠢᠱᠢᠶ\u180eᠡ", "نمونه\u200cخواه", "उदाहरण\u200dक"])
def test_signs_that_a_script_needs_are_kept(full_name: str) -> None:
    assert Name(full_name=full_name, email="ada@example.org").full_name == full_name
