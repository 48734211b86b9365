"""What can go wrong on a grid or in a move, as errors whose text is ready for the person who gets it.

GridError
├── InvalidNameError     the name of a grid, an application or a move is not accepted
├── OptionError          an option of a move has a value that is not accepted
├── UnknownError         there is no such grid, application or move
├── DefinitionError      the Compose file or a property cannot be used
├── EngineError          the container engine refused or does not answer
├── LockedError          another move holds the application
├── RightError           the application has no right to run here: it moved away, or a move stopped it
├── UnreachableError     the other grid does not answer; trying again may help
├── RefusedError         the other grid answered and refused the connection or the verb; trying again does not help
├── CopyError            volumes could not be copied, or the copy is not what was sent
├── BlockedError         preflight found what must be mended first; `findings` holds all of it
├── UnhealthyError       the application did not get healthy on the target grid
├── HookError            a hook of the application failed
└── CancelledError       the operator cancelled the move
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .application import Finding


class GridError(Exception):
    """Root of all errors of a grid: says what was wrong, where, what is accepted, and what to do."""


class InvalidNameError(GridError):
    """The name of a grid, an application or a move is not accepted."""


class OptionError(GridError):
    """An option of a move has a value that is not accepted."""


class UnknownError(GridError):
    """There is no such grid, application or move."""


class DefinitionError(GridError):
    """The Compose file or a property cannot be used."""


class EngineError(GridError):
    """The container engine refused or does not answer."""


class LockedError(GridError):
    """Another move holds the application."""


class RightError(GridError):
    """The application has no right to run here."""


class UnreachableError(GridError):
    """The other grid does not answer; trying again may help."""


class RefusedError(GridError):
    """The other grid refused the connection or the verb; trying again does not help."""


class CopyError(GridError):
    """Volumes could not be copied, or the copy is not what was sent."""


class BlockedError(GridError):
    """Preflight found what must be mended before the move."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(f"{found.check}: {found.text} {found.remedy}".rstrip() for found in self.findings))


class UnhealthyError(GridError):
    """The application did not get healthy on the target grid."""


class HookError(GridError):
    """A hook of the application failed."""


class CancelledError(GridError):
    """The operator cancelled the move."""
