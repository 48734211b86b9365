#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_facts
short_description: Learn what the roles of a site need to know of a host
description:
  - Returns the facts C(distribution), C(distribution_version), C(distribution_major_version) and C(os_family) as
    M(ansible.builtin.setup) does, and C(mig_host), in one quick look.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: Has no differences to show.
    support: none
options:
  account:
    description: Name of the site's account.
    type: str
    required: true
  release_link:
    description: Symbolic link that leads to the installed release.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Learn about the host
  host_facts:
    account: mig
    release_link: /opt/migrid/venv
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    mig_host:
      description: What is there of the site.
      returned: success
      type: dict
      contains:
        packages:
          description: Names of the installed packages.
          returned: success
          type: list
          elements: str
        running:
          description: Units of the site that are active and start with the host.
          returned: success
          type: list
          elements: str
        release:
          description: Where O(release_link) leads to, or null.
          returned: success
          type: str
        home:
          description: Home directory of O(account), or null if there is no such account.
          returned: success
          type: str
        group:
          description: Group of O(account), or null if there is no such account.
          returned: success
          type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.provision.host import UnsupportedHostError, facts


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "release_link": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        found = facts(module.params["account"], Path(module.params["release_link"]))
    except UnsupportedHostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, ansible_facts=found)


if __name__ == "__main__":
    main()
