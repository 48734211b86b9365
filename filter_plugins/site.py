# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``import_site``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from migrid.provision.import_site import ImportSiteError, import_site


def _import_site(text: str) -> dict[str, Any]:
    """The site of a command line of MiG's configuration generator, or of the text of a MiGserver.conf.

    Returns ``variables`` (a dictionary), and ``left_out`` and ``not_needed`` (lists of text, one line for each option).
    """
    try:
        found = import_site(text)
    except ImportSiteError as error:
        raise AnsibleFilterError(f"import_site: {error}") from error
    return {
        "variables": found.variables,
        "left_out": list(map(str, found.left_out)),
        "not_needed": list(map(str, found.not_needed)),
    }


class FilterModule:
    """Filters about sites."""

    def filters(self) -> dict[str, Callable[[str], dict[str, Any]]]:
        return {"import_site": _import_site}
