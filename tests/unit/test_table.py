"""Columns line up for every script."""

from __future__ import annotations

import pytest

from migrid.table import width


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("Ada", 3), ("山田", 4), ("ﾃｽﾄ", 3), ("예시", 4), ("Zoe\u0301", 3), ("مهر\u200cآزمون", 8), ("𠮷", 2)],
)
def test_width_counts_columns(text: str, columns: int) -> None:
    assert width(text) == columns
