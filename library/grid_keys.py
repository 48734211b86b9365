#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_keys
short_description: Have the SSH key of a grid, and learn the public keys of its host
description:
  - Makes the key with which the grid logs in to other grids, once. The private half never leaves the host. Also makes
    keys for the host's own SSH service if it has none.
  - Returns the public halves of this key and of the host's own SSH service, so that the other grids can be told of them
    over the connection that Ansible has, instead of trusting whatever answers first.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Says whether keys would be made. RV(ansible_facts.grid_keys.public_key) may be null then.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options:
  key:
    description: Where the private half of the grid's key is. The public half is beside it, with C(.pub) after its name.
    type: path
    required: true
  comment:
    description: Comment of the key, such as the name of the grid.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Have a key and learn the keys of the host
  grid_keys:
    key: /var/lib/migrid/grid/ssh/id_ed25519
    comment: grid-a
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    grid_keys:
      description: The public keys, each as its type and its content.
      returned: success
      type: dict
      contains:
        public_key:
          description: The grid's key, or null if it would be made in check mode.
          returned: success
          type: str
        host_keys:
          description: The keys of the host's SSH service, empty if they would be made in check mode.
          returned: success
          type: list
          elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.provision.grid_keys import GridKeysError, host_keys, make, make_host_keys, public_key


def have_keys(module: AnsibleModule, key: Path) -> bool:
    """Make what is missing; returns whether anything was."""
    return any([make_host_keys(), make(key, module.params["comment"])])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "path", "required": True, "no_log": False},
            "comment": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    key = Path(module.params["key"])
    try:
        changed = not (public_key(key) and host_keys()) if module.check_mode else have_keys(module, key)
    except GridKeysError as error:
        module.fail_json(msg=str(error))
    keys = {"public_key": public_key(key), "host_keys": host_keys()}
    module.exit_json(changed=changed, ansible_facts={"grid_keys": keys})


if __name__ == "__main__":
    main()
