"""Questions to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass

from ..errors import FieldError, MigError

ATTEMPTS = 3


def at_terminal() -> bool:
    """Whether there is someone to ask."""
    return sys.stdin.isatty()


def ask(label: str, check: Callable[[str], object]) -> str:
    """The answer to one question; asks again while `check` refuses it with a FieldError."""
    return _until_accepted(lambda: input(f"{label}: "), check)


def ask_password(check: Callable[[str], object]) -> str:
    """A password, not shown and typed twice; empty when there shall be none."""

    def read() -> str:
        password = getpass("Password: ")
        if password and getpass("Password again: ") != password:
            raise FieldError("password", "the two passwords differ")
        return password

    return _until_accepted(read, lambda password: password and check(password))


def confirm(question: str) -> bool:
    """Whether the person says yes; anything else is no."""
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _until_accepted(read: Callable[[], str], check: Callable[[str], object]) -> str:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = read()
            check(answer)
        except FieldError as error:
            if attempt == ATTEMPTS:
                raise
            print(f"{error.problem}. Please try again.", file=sys.stderr)
        except EOFError:
            raise MigError("the input ended before the question was answered; nothing was changed") from None
        else:
            break
    return answer
