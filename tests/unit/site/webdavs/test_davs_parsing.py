"""Headers and paths, whatever clients put into them."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from urllib.parse import quote_from_bytes, unquote, urlparse

from hypothesis import given
from hypothesis import strategies as st

from migrid.site.homes import FileError
from migrid.site.serving import UnsatisfiableError, part
from migrid.site.webdavs import paths
from migrid.site.webdavs.login import credentials

NAME = st.binary(min_size=1, max_size=60).filter(lambda name: name not in (b".", b"..") and not {0, 47} & set(name))
NAMES = st.lists(NAME, max_size=4).filter(lambda names: not names or not names[0].startswith(b"."))
SIZES = st.integers(0, 10_000)
HEADERS = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"))


@given(NAMES)
def test_every_path_has_one_form_that_leads_back(names: list[bytes]) -> None:
    expected = tuple(map(os.fsdecode, names))
    path = paths.path_of(paths.requested(b"/".join([b"", *names]).decode("latin-1")))
    assert path.isascii()
    assert paths.names_of(path) == expected
    url = "/" + "/".join(map(quote_from_bytes, names))
    for written in (url, f"https://grid.example.org:4443{url}", f"https://grid.example.org{url.rstrip('/')}/"):
        assert paths.of_url(written) == path


@given(NAMES)
def test_a_destination_survives_what_wsgidav_does_with_it(names: list[bytes]) -> None:
    path = paths.path_of(tuple(map(os.fsdecode, names)))
    parts = urlparse(unquote(paths.destination(f"https://grid.example.org{path}")), allow_fragments=False)
    assert (parts.netloc, parts.path) == ("grid.example.org", path)


@given(NAMES, HEADERS)
def test_only_the_addresses_of_a_condition_change(names: list[bytes], text: str) -> None:
    path = paths.path_of(tuple(map(os.fsdecode, names)))
    lists = '(Not <urn:uuid:1> ["e"]) (<opaquelocktoken:/x>)'
    assert paths.conditions(f"<https://grid.example.org{path}> {lists}") == f"<{path}> {lists}"
    assert paths.conditions(lists) == lists
    paths.conditions(text)


@given(HEADERS)
def test_any_address_is_a_path_or_refused(text: str) -> None:
    with suppress(FileError):
        assert all(name not in ("", ".", "..") and "/" not in name for name in paths.names_of(paths.of_url(text)))


@given(SIZES, st.none() | SIZES, st.none() | SIZES)
def test_a_part_is_what_the_rfc_says(size: int, first: int | None, last: int | None) -> None:
    content = list(range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    if first is None and last is None:
        expected = None
    elif first is None:
        expected = content[max(0, size - last) :]
    elif last is None:
        expected = content[first:]
    else:
        expected = content[first : last + 1] if first <= last else None
    try:
        found = part(header, size)
    except UnsatisfiableError:
        assert expected == []
    else:
        assert (None if found is None else list(found)) == expected


@given(HEADERS, SIZES)
def test_any_range_is_a_part_of_the_file(text: str, size: int) -> None:
    for header in (text, f"bytes={text}"):
        with suppress(UnsatisfiableError):
            found = part(header, size)
            assert found is None or (0 <= found.start < found.stop <= size)


@given(
    st.text(st.characters(exclude_characters=":", exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_login_and_password_are_what_was_typed(login: str, password: str) -> None:
    token = base64.b64encode(f"{login}:{password}".encode()).decode()
    assert credentials(f"Basic {token}") == credentials(f"basic  {token} ") == (login, password)


@given(HEADERS)
def test_any_other_header_is_no_login(text: str) -> None:
    for header in (text, f"Basic {text}"):
        found = credentials(header)
        assert found is None or header.lower().startswith("basic ")
