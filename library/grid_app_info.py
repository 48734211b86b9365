#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_app_info
short_description: Learn about the applications of a grid
description:
  - Lists the Compose applications of a grid, those that were started by hand and those that moved away included.
  - Of properties it returns the names only; their values may be secrets.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options:
  names:
    description: Names of the applications to return in full. All are returned in short without it.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Learn about all applications
  grid_app_info:
  register: here

- name: Learn all about one
  grid_app_info:
    names: [shop]
"""

RETURN = r"""
grid:
  description: Name of the grid.
  returned: success
  type: str
applications:
  description: The applications, sorted by name. Those of O(names) that there are none of are left out.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the application.
      returned: always
      type: str
    state:
      description:
        - V(running), V(starting), V(unhealthy), V(partly running), V(stopped), V(moving), V(moved away) or
          V(interrupted).
      returned: always
      type: str
    explanation:
      description: The same, with where it moved to and which move holds it.
      returned: always
      type: str
    running:
      description: Whether any of its containers runs.
      returned: always
      type: bool
    managed:
      description: Whether it was provisioned here or arrived by a move.
      returned: always
      type: bool
    arrived_by:
      description: The move by which it arrived, or empty.
      returned: always
      type: str
    move:
      description: The move that holds it, or empty.
      returned: always
      type: str
    moved_to_grid:
      description: Where it moved to, or empty.
      returned: always
      type: str
    moved_to_app:
      description: Its name there, or empty.
      returned: always
      type: str
    containers:
      description: Its containers, each with C(name), C(service), C(state), C(health), C(image) and C(ports).
      returned: always
      type: list
      elements: dict
    directory:
      description: Its project directory.
      returned: when O(names) is given
      type: str
    volumes:
      description: Its volumes, each with C(name), C(location) and C(external).
      returned: when O(names) is given
      type: list
      elements: dict
    properties:
      description: Names of its own properties.
      returned: when O(names) is given
      type: list
      elements: str
    properties_of_the_grid:
      description: Names of the properties that it gets on this grid.
      returned: when O(names) is given
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.grid.applications import described
from ansible.module_utils.migrid.grid.applications.verbs import Applications
from ansible.module_utils.migrid.grid.errors import GridError
from ansible.module_utils.migrid.grid.opening import open_engine
from ansible.module_utils.migrid.grid.state import here


def found(here: Applications, names: list[str] | None) -> list[dict[str, object]]:
    every = here.all()
    if names is None:
        return [described.application(observed) for observed in every]
    return [described.information(here.information(each.name)) for each in every if each.name in names]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    state = here()
    try:
        applications = found(Applications(state, open_engine(state)), module.params["names"])
        grid = state.configuration().name
    except (GridError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, grid=grid, applications=applications)


if __name__ == "__main__":
    main()
