"""A QR code (ISO/IEC 18004) as the path of an SVG image."""

from __future__ import annotations

from typing import NamedTuple

import qrcode
from qrcode.constants import ERROR_CORRECT_M


class Drawing(NamedTuple):
    """The length of a side, and the path that fills the dark squares, each of side 1."""

    side: int
    path: str


def drawn(text: str) -> Drawing:
    """The code of a text, with the quiet zone around it."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M)
    code.add_data(text)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return Drawing(len(rows), path)
