# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``release_id``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ansible.errors import AnsibleFilterError

from migrid.provision.release import release_id


def _release_id(checkout: str) -> str:
    """Name of the release that the checkout at the path ``checkout`` makes."""
    try:
        return release_id(Path(checkout))
    except FileNotFoundError as error:
        raise AnsibleFilterError(f"release_id: {error}") from error


class FilterModule:
    """Filters about what this checkout installs."""

    def filters(self) -> dict[str, Callable[[str], str]]:
        return {"release_id": _release_id}
