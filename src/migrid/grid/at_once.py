"""Questions that are waited for together, because each waits for somebody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")

_MOST = 8


def at_once(questions: Iterable[Callable[[], Answer]]) -> list[Answer]:
    """The answers, in the order of the questions. All are waited for, then the first error among them is raised."""
    with ThreadPoolExecutor(_MOST) as pool:
        asked = [pool.submit(question) for question in questions]
    return [each.result() for each in asked]
