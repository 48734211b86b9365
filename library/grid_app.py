#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_app
short_description: Make the applications of a grid what a list says
description:
  - Provisions, changes, starts, stops and destroys Compose applications on a grid.
  - Every entry is checked by C(docker compose config) before the first application is touched. When one is wrong,
    nothing changes, and the error names every wrong entry.
  - Each directory is brought to the host as one archive, so that a second run is quick and check mode says the truth.
  - What containers write below the project directory is theirs; it is never overwritten and never removed.
  - An application that moved away to another grid, or that a move holds, is left alone; the result says where it is.
  - No property's value is ever logged or returned.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Says what would change without changing it, also before the host is a grid.
    support: full
  diff_mode:
    description: Names the files and properties that change, without their content.
    support: full
options:
  applications:
    description:
      - One entry for each application.
      - C(name), as Compose has it for projects. Required.
      - C(directory), on the control node, with the Compose files and all that belongs to them. A relative one is
        looked for in the checkout. It may be left out for an application that is on the grid already.
      - C(remote_src), V(true) if C(directory) is on the host.
      - C(files), the names of the Compose files in it; by default those that Compose would find.
      - C(properties), the variables of the Compose file. C(app_config) of the grid overrides them.
      - C(state), V(started) (default), V(present) (whether it runs stays as it is; a new one is not started),
        V(stopped) (also through restarts of the engine) or V(absent) (its volumes are removed too).
      - C(assembly), V(true) to add the MIG assembly, with which the application moves itself. Its Compose file
        C(compose.mig.yaml) comes after the others, unless C(files) names it.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Run the shop on another port
  grid_app:
    applications:
      - name: shop
        directory: examples/applications/shop
        properties:
          SHOP_PORT: 8081
          SHOP_PASSWORD: "{{ vault_shop_password }}"

- name: Stop one application and remove another with its data
  grid_app:
    applications:
      - name: blog
        state: stopped
      - name: wiki
        state: absent
"""

RETURN = r"""
applications:
  description: The declared applications, in their order.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the application.
      type: str
    action:
      description:
        - V(none), V(provision), V(change), V(start), V(stop), V(destroy), or V(leave) for one that moved away or that a
          move holds.
      type: str
    fields:
      description: What changed, such as C(file compose.yaml), C(property SHOP_PORT) or C(state).
      type: list
      elements: str
    state:
      description: How the application is afterwards.
      type: str
    note:
      description: What is worth knowing besides.
      type: str
    moved_to_grid:
      description: Where it moved to, or empty.
      type: str
    moved_to_app:
      description: Its name there, or empty.
      type: str
"""

import shutil
import tarfile
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.grid.applications.declared import compose_files, parse
from ansible.module_utils.migrid.grid.applications.reconcile import Change, expected_on_no_grid, reconcile
from ansible.module_utils.migrid.grid.applications.verbs import Applications
from ansible.module_utils.migrid.grid.assembly.fragment import FILE as ASSEMBLY
from ansible.module_utils.migrid.grid.assembly.overlay import lay_over
from ansible.module_utils.migrid.grid.errors import GridError
from ansible.module_utils.migrid.grid.opening import open_engine
from ansible.module_utils.migrid.grid.state import here


def prepared(entry: dict[str, object], directory: Path) -> dict[str, object]:
    """The entry as it is declared: with a directory in place of the archive that the action plugin sent, and with the
    MIG assembly in that directory if it is asked for."""
    archived, assembly = entry.pop("archived", False), entry.pop("assembly", False)
    if archived:
        unpack(Path(str(entry["directory"])), directory)
    elif assembly and entry.get("directory"):
        shutil.copytree(str(entry["directory"]), directory, symlinks=True)
    else:
        return entry
    entry = {**entry, "directory": str(directory)}
    return with_assembly(entry, directory) if assembly else entry


def with_assembly(entry: dict[str, object], directory: Path) -> dict[str, object]:
    """The entry with the assembly's files; its Compose file is the last one, unless the entry names it itself."""
    lay_over(directory, here(), str(entry["name"]))
    files = compose_files(directory, entry.get("files") or ())
    return {**entry, "files": [*files, *(() if ASSEMBLY in files else (ASSEMBLY,))]}


def unpack(file: Path, directory: Path) -> None:
    """Unpack an archive that the control node made."""
    with tarfile.open(file) as archive:
        # Older releases of Python know no filter, and newer ones would change modes.
        archive.extraction_filter = lambda member, path: member  # noqa: ARG005
        archive.extractall(directory)  # noqa: S202


def run(module: AnsibleModule) -> list[Change]:
    state = here()
    is_grid = (state.etc / "grid.json").exists()
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as place:
        entries = [{**entry, "assembly": is_grid and entry.get("assembly")} for entry in module.params["applications"]]
        declared = parse([prepared(entry, Path(place, str(number))) for number, entry in enumerate(entries)])
        if module.check_mode and not is_grid:
            return expected_on_no_grid(declared)
        return reconcile(Applications(state, open_engine(state)), declared, dry_run=module.check_mode)


def to_result(change: Change) -> dict[str, object]:
    grid, app = change.moved_to or ("", "")
    return {
        "name": change.name,
        "action": change.action.value,
        "fields": list(change.fields),
        "state": change.standing,
        "note": change.note,
        "moved_to_grid": grid,
        "moved_to_app": app,
    }


def to_diff(change: Change) -> dict[str, str]:
    header = f"application {change.name}"
    return {"before_header": header, "after_header": header, "before": change.before, "after": change.after}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "applications": {"type": "list", "elements": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    # What is returned below names applications, and holds no value of a property.
    module.no_log_values.clear()
    invocation = {"module_args": {**module.params, "applications": f"{len(module.params['applications'])} entries"}}
    try:
        changes = run(module)
    except (GridError, OSError, tarfile.TarError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    for change in changes:
        if change.note:
            module.warn(change.note)
    changed = any(change.changed for change in changes)
    result = {"applications": [to_result(change) for change in changes]}
    if module._diff:
        result["diff"] = [to_diff(change) for change in changes if change.changed]
    module.exit_json(changed=changed, invocation=invocation, **result)


if __name__ == "__main__":
    main()
