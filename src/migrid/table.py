"""Text in columns on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

GAP = "  "
WIDE = ("W", "F")
WITHOUT_WIDTH = ("Mn", "Me", "Cf")


def width(text: str) -> int:
    """Columns that the text takes: two for East Asian wide characters (Unicode annex 11), none for combining ones."""
    return sum(map(_character_width, text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows under their heads, each column as wide as its widest cell."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (wanted - width(cell)) for cell, wanted in zip(cells, widths, strict=True))
    return GAP.join(padded).rstrip()


def _character_width(character: str) -> int:
    if unicodedata.category(character) in WITHOUT_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in WIDE else 1
