# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_inventory
short_description: Check all variables of a host before any host is changed
description:
  - Looks at every variable whose name begins as a role's variables do, on the control node, without reaching the host.
  - Types and choices are those of the roles' argument specs. Then come what a type cannot say, such as that a port lies
    between 1 and 65535, and contradictions between variables.
  - Every problem of the host is reported at once, with the variable, its value, and what is accepted. The values of
    secrets are not shown.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options: {}
"""

EXAMPLES = r"""
- name: Check every variable
  check_inventory:
"""

RETURN = r"""
"""
