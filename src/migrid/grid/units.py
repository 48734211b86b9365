"""Sizes and times as people read them."""

from __future__ import annotations

_STEP = 1024.0


def size(count: float) -> str:
    """Bytes, such as `4.0 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} TiB"


def seconds(value: float) -> str:
    """A length of time, such as `2.5 s` or `1 h 05 min`."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
