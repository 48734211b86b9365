# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check all variables of a host against the argument specs of all roles, and against each other.

Runs on the control node alone, so that a wrong inventory is found before any host is changed. Reports every problem of
the host at once, each with the name of the variable, its value, and what is accepted.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

try:
    from migrid.provision.grids import Place, place
    from migrid.provision.inventory import PREFIXES, Problem, grid_problems, problems
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

ROLES = Path(__file__).parents[1] / "roles"
GRIDS = "grids"
GROUPS = {"system_container": "system_containers", "grid": GRIDS, "migctl_appliance": GRIDS}
OF_APPLICATIONS = ("grid_applications", "grid_owners", "migctl_appliance_applications")
SECRET = ("mig_users", "mig_certificates", "mig_ext_oidc_client_secret", "grid_app_config", "grid_applications")


class ActionModule(ActionBase):
    """``check_inventory:`` takes no options and changes nothing."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with all problems of the host, or return that nothing changed."""
        super().run(tmp, task_vars)
        if MISSING:
            raise AnsibleError(
                "the package migrid is not installed for the Python that runs Ansible; "
                "run bin/site, or pip install -r requirements.txt -e . in the checkout"
            ) from MISSING
        variables = dict(task_vars or {})
        specs = self._read("meta/argument_specs.yml")
        options = {name: option for spec in specs.values() for name, option in _options(spec).items()}
        values, found = self._values(variables, options)
        found += [
            Problem(name, "is required and is not given")
            for name in sorted(_required(specs, variables) - set(variables))
        ]
        found += problems(values, options)
        found += self._among_grids(variables)
        if not found:
            return {"changed": False}
        host = variables.get("inventory_hostname", "?")
        lines = "\n".join(f"  - {problem}" for problem in found)
        return {"failed": True, "msg": f"The inventory is wrong for {host}; nothing was changed:\n{lines}"}

    def _read(self, path: str) -> dict[str, dict[str, Any]]:
        """The file at ``path`` of each role that has it, by the name of the role."""
        return {
            role.name: self._loader.load_from_file(str(role / path), trusted_as_template=True) or {}
            for role in sorted(ROLES.iterdir())
            if (role / path).is_file()
        }

    def _values(self, variables: dict[str, Any], options: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
        """The values of all variables of the roles, and what keeps some from having one."""
        defaults = {name: value for role in self._read("defaults/main.yml").values() for name, value in role.items()}
        names = sorted(name for name in {**defaults, **variables} if name.startswith(PREFIXES))
        available = {"role_path": str(ROLES / "mig"), **defaults, **variables}
        templar = self._templar.copy_with_new_env(available_variables=available)
        values: dict[str, Any] = {}
        found: list[Problem] = []
        for name in names:
            try:
                values[name] = _converted(name, templar.template(available[name]), options)
            except AnsibleError as error:
                if name in variables:  # a role's default may need facts of the host
                    found.append(Problem(name, f"has no value: {error.message}"))
            except ValueError as error:
                found.append(Problem(name, str(error)))
        return values, found

    def _among_grids(self, variables: dict[str, Any]) -> list[Problem]:
        """What is wrong with the host among the grids, if it is one. A grid without a place has reported why."""
        host, grids = variables.get("inventory_hostname", "?"), variables.get("groups", {}).get(GRIDS, [])
        places: dict[str, Place] = {}
        for grid in grids if host in grids else []:
            with contextlib.suppress(AnsibleError, ValueError):
                places[grid] = place(grid, variables["hostvars"][grid])
        return (
            grid_problems(host, places, {grid: self._of_applications(variables, grid) for grid in places})
            if host in places
            else []
        )

    def _of_applications(self, variables: dict[str, Any], grid: str) -> dict[str, Any]:
        """What the variables of a grid say of applications. Those without a value have been reported by the grid."""
        found = {}
        for name in OF_APPLICATIONS:
            with contextlib.suppress(AnsibleError, KeyError):
                found[name] = variables["hostvars"][grid][name]
        return found


def _options(spec: dict[str, Any]) -> dict[str, Any]:
    """The options of all entry points of a role."""
    return {
        name: option
        for entry_point in spec["argument_specs"].values()
        for name, option in entry_point.get("options", {}).items()
    }


def _required(specs: dict[str, dict[str, Any]], variables: dict[str, Any]) -> set[str]:
    """Names of the variables that the host must have, because the groups it is in bring it the roles."""
    groups = variables.get("group_names", [])
    return {
        name
        for role, spec in specs.items()
        if GROUPS.get(role, "mig_site") in groups
        for name, option in spec["argument_specs"]["main"].get("options", {}).items()
        if option.get("required")
    }


def _converted(name: str, value: Any, options: dict[str, Any]) -> Any:
    """``value`` as the option's type. Raises ValueError with what is accepted."""
    if name not in options:
        return value
    option = {key: part for key, part in options[name].items() if key in ("type", "elements", "choices", "options")}
    result = ArgumentSpecValidator({name: option}).validate({name: value})
    if not result.error_messages:
        return result.validated_parameters[name]
    if name in SECRET:
        raise ValueError(f"is not a {option['type']}")
    if "options" in option:
        raise ValueError("; ".join(result.error_messages))
    accepted = f"one of {', '.join(map(str, option['choices']))}" if "choices" in option else f"a {option['type']}"
    raise ValueError(f"{value!r} is not accepted; give {accepted}")
