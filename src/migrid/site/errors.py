"""What can go wrong in a site, as errors whose text is ready for the person who gets it.

MigError
├── FieldError          one value of one field
├── EntriesError        everything that is wrong with a list of entries
├── StoreError          the user store cannot be opened, read or written
├── HomeError           a home directory is not what it must be
│   └── FileError       an operation on a user's files was refused or failed (homes)
├── CertificateNameError, UserCertificateError    certificates of users (usercerts)
├── PrivilegeError      the caller is not root
└── ConfigurationError  MiGserver.conf cannot be used
"""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN_CHARACTERS = 60


class MigError(Exception):
    """Root of all errors of a site: says what was wrong, what is accepted, and what to do."""


class FieldError(MigError):
    """A field of a user has a value that is not accepted."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"field '{field}': {problem}")


class EntriesError(MigError):
    """Some entries of a list are not accepted; `problems` has one line for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class StoreError(MigError):
    """The user store cannot be opened, read or written."""


class HomeError(MigError):
    """A home directory is not what it must be."""


class PrivilegeError(MigError):
    """The operation needs root."""


class ConfigurationError(MigError):
    """MiGserver.conf is missing, unreadable or wrong."""


def shown(value: object) -> str:
    """`value` as an error message quotes it: on one line, cut when it is long."""
    text = repr(value)
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"
