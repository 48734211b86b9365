# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_request
short_description: Check what is asked of a move against the inventory
description:
  - Runs on the control node alone. Without O(answers) it checks the options of a move, refuses extra variables that are
    misspelt ones, and says which hosts must be asked for their applications.
  - With O(answers) it finds the grid that the application leaves.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options:
  options:
    description: The options of the move, as the module C(grid_move) has them. Empty text is as good as none.
    type: dict
    required: true
  answers:
    description: What the module C(grid_app_info) returned, by the names of the hosts.
    type: dict
"""

EXAMPLES = r"""
- name: Check what is asked for
  grid_request:
    options:
      app: shop
      target_grid: grid-b
  register: request
"""

RETURN = r"""
target_host:
  description: The host of the target grid.
  returned: success
  type: str
hosts_to_ask:
  description: The hosts of the grids that must be asked for their applications.
  returned: without O(answers)
  type: list
  elements: str
source_grid:
  description: The grid that the application leaves.
  returned: with O(answers)
  type: str
"""
