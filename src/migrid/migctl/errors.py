"""What can be wrong inside the application, as errors whose text is ready for its owner.

MigctlError
├── PropertiesError  the properties of the service MIGCTL cannot be used
├── GridInfoError    the file grid_info cannot be used
├── LockFileError    the lock file is damaged
└── PlaceError       nobody can say on which grid this is
"""

from __future__ import annotations

from ..grid.errors import GridError


class MigctlError(GridError):
    """Root of all errors of MIGCTL; what the grids say are errors of `migrid.grid`."""


class PropertiesError(MigctlError):
    """The properties of the service MIGCTL cannot be used."""


class GridInfoError(MigctlError):
    """The file grid_info cannot be used."""


class LockFileError(MigctlError):
    """The lock file is damaged."""


class PlaceError(MigctlError):
    """Nobody can say on which grid this is."""
