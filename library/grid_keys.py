#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: grid_keys
short_description: Have the SSH key of a grid, and learn the public keys of its host
description:
  - Makes the key with which the grid logs in to other grids, once. The private half never leaves the host. Also makes
    keys for the host's own SSH service if it has none, and for owners of applications that begin on the grid.
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
  owners:
    description: Where the private half of the key of each owner of applications is, by the owner's name.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Have a key and learn the keys of the host
  grid_keys:
    key: /var/lib/migrid/grid/ssh/id_ed25519
    comment: grid-a
    owners:
      shop: /var/lib/migrid/grid/owners/shop/id_ed25519
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
        owners:
          description: The owners' keys, by their names. A key is null if it would be made in check mode.
          returned: success
          type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.grid.peers.host_keys import host_keys
from ansible.module_utils.migrid.provision.grid_keys import GridKeysError, make, make_host_keys, public_key


def missing(keys: dict[Path, str]) -> bool:
    """Whether any key is still to be made."""
    return not (host_keys() and all(map(public_key, keys)))


def have_keys(keys: dict[Path, str]) -> bool:
    """Make what is missing; returns whether anything was."""
    return any([make_host_keys(), *(make(key, comment) for key, comment in keys.items())])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "key": {"type": "path", "required": True, "no_log": False},
            "comment": {"type": "str", "required": True},
            "owners": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    own, owners = Path(module.params["key"]), {name: Path(key) for name, key in module.params["owners"].items()}
    keys = {own: module.params["comment"], **{key: name for name, key in owners.items()}}
    try:
        changed = missing(keys) if module.check_mode else have_keys(keys)
    except GridKeysError as error:
        module.fail_json(msg=str(error))
    known = {
        "public_key": public_key(own),
        "host_keys": host_keys(),
        "owners": {name: public_key(key) for name, key in owners.items()},
    }
    module.exit_json(changed=changed, ansible_facts={"grid_keys": known})


if __name__ == "__main__":
    main()
