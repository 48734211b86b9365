"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass

from ..errors import FieldError

ATTEMPTS = 3


def at_terminal() -> bool:
    """Whether there is someone to ask."""
    return sys.stdin.isatty()


def ask(label: str, check: Callable[[str], object]) -> str:
    """The answer to one question; asks again while `check` refuses it with a FieldError."""

    def read() -> str:
        answer = input(f"{label}: ")
        check(answer)
        return answer

    return _until_accepted(label, read)


def ask_password(check: Callable[[str], object], label: str = "Password") -> str:
    """A password, not shown and typed twice; empty when there shall be none."""

    def read() -> str:
        password = getpass(f"{label}: ")
        if password:
            check(password)
            if getpass(f"{label} again: ") != password:
                raise FieldError("password", "the two passwords differ")
        return password

    return _until_accepted(label, read)


def confirm(question: str) -> bool:
    """Whether the person says yes; anything else is no."""
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _until_accepted(label: str, read: Callable[[], str]) -> str:
    for _ in range(ATTEMPTS - 1):
        try:
            return read()
        except FieldError as error:
            print(f"{label}: {error.problem}. Please try again.", file=sys.stderr)
    return read()
