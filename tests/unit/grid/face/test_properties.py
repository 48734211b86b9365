"""Properties cross to Compose as they are, and no error shows one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrid.grid.compose import properties
from migrid.grid.errors import DefinitionError

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r"))


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), TEXTS, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("p") / "properties.env"
    properties.write(path, values)
    assert properties.read(path) == values


def test_the_quoting_is_the_one_that_compose_reads() -> None:
    """Compose 2.26 was seen to read these lines as the values."""
    values = {"A": 'it\'s "it" \\ $HOME #x', "B": "two\nlines"}
    assert properties.environment(values) == 'A="it\'s \\"it\\" \\\\ \\$HOME #x"\nB="two\nlines"\n'


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    properties.write(tmp_path / "new" / "properties.env", {"A": "secret"})
    assert stat.S_IMODE((tmp_path / "new" / "properties.env").stat().st_mode) == 0o600


def test_the_grid_has_the_last_word() -> None:
    assert properties.effective({"A": "own", "B": "own"}, {"B": "here"}) == {"A": "own", "B": "here"}


def test_numbers_and_truth_are_text() -> None:
    assert properties.checked({"A": 8080, "B": True, "C": "x", "D": 1.5}) == {
        "A": "8080",
        "B": "true",
        "C": "x",
        "D": "1.5",
    }


@pytest.mark.parametrize(
    "wrong", [{"1A": "hidden"}, {"A-B": "hidden"}, {"A": ["hidden"]}, {"A": "hidden\0"}, {"A": None}]
)
def test_an_error_shows_no_value(wrong: dict[str, object]) -> None:
    with pytest.raises(DefinitionError) as caught:
        properties.checked(wrong)
    assert "hidden" not in str(caught.value)
