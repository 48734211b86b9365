# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check what is asked of a move against the inventory, and find the grid where the application runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

try:
    from migrid.grid.moves import migration
except ImportError:  # an execution environment has the checkout, and not the package
    sys.path.append(str(Path(__file__).parents[1] / "src"))
    from migrid.grid.moves import migration
from migrid.grid.errors import GridError

GROUP = "grids"


class ActionModule(ActionBase):
    """``grid_request:`` changes nothing and reaches no host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the hosts that matter, or fail with what is wrong."""
        super().run(tmp, task_vars)
        spec = {"options": {"type": "dict", "required": True}, "answers": {"type": "dict"}}
        given = self.validate_argument_spec(spec)[1]
        hosts = _hosts(task_vars or {})
        try:
            return self._result(given["options"], given["answers"], hosts)
        except GridError as error:
            return {"failed": True, "msg": str(error)}

    def _result(self, options: Mapping[str, Any], answers: Mapping[str, Any] | None, hosts: Mapping[str, str]) -> Any:
        asked = migration.check(options, load_extra_vars(self._loader), hosts)
        result = {"changed": False, "target_host": hosts[asked.target_grid]}
        needed = {grid: hosts[grid] for grid in migration.needed(asked, hosts)}
        if answers is None:
            return {**result, "hosts_to_ask": list(needed.values())}
        said = {grid: _answer(answers.get(host)) for grid, host in needed.items()}
        return {**result, "source_grid": migration.source(asked, said)}


def _hosts(task_vars: Mapping[str, Any]) -> dict[str, str]:
    """The host of each grid of the inventory."""
    members = task_vars.get("groups", {}).get(GROUP, [])
    return {str(task_vars["hostvars"][host].get("grid_name", host)): host for host in members}


def _answer(result: Any) -> migration.Answer:
    if not isinstance(result, Mapping):
        return migration.Answer(problem="it was not asked; does --limit leave it out?")
    if "applications" in result:
        return migration.Answer(tuple(result["applications"]))
    return migration.Answer(problem=str(result.get("msg", "it did not say why")))
