#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: site_certificates
short_description: Certificates of all virtual hosts of a site
description:
  - Writes the certificates that the inventory gives, and lets the site's own authority issue the others.
  - A certificate is issued again when it ends soon, when the names or the authority change, and when its key is
    damaged, is another one or can be read by others than root.
  - A certificate that was issued for a virtual host that is no longer there stays until O(state=absent).
author: The migrid authors (!UNKNOWN)
requirements:
  - The Python library cryptography, version 36 or newer.
attributes:
  check_mode:
    description: Says what would change without changing it.
    support: full
  diff_mode:
    description: Shows which certificates change, and why. Never shows a key.
    support: full
options:
  path:
    description: Directory of the certificates. It holds C(NAME.crt), C(NAME.key), C(ca.crt) and C(ca/ca.key).
    type: path
    required: true
  organization:
    description: Name of the site, for the subject of each certificate.
    type: str
    required: true
  authority:
    description: Common name of the site's authority.
    type: str
    required: true
  certificates:
    description: What the virtual hosts need.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the files.
        type: str
        required: true
      names:
        description: Host names that the certificate is for.
        type: list
        elements: str
        required: true
      certificate:
        description: Certificate with its chain as PEM text. Without it one is issued.
        type: str
      private_key:
        description: Key of O(certificates[].certificate) as PEM text.
        type: str
  days:
    description: For how many days a certificate is issued.
    type: int
    default: 365
  renew_days:
    description: How many days before its end a certificate is issued again.
    type: int
    default: 30
  state:
    description: V(absent) removes the authority, all that it issued and the certificates that O(certificates) gives.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Have a certificate for each virtual host
  site_certificates:
    path: /etc/migrid/certs
    organization: Example Grid
    authority: Example Grid certificates
    certificates:
      - name: public
        names: [www.example.org]
      - name: sid
        names: [sid.example.org]
        certificate: "{{ lookup('ansible.builtin.file', 'sid.crt') }}"
        private_key: "{{ vault_sid_key }}"
  notify: Reload Apache
"""

RETURN = r"""
changes:
  description: Why each changed certificate changed, by name; C(ca) is the authority's.
  type: dict
  returned: success
  sample: {"public": "it ends on 2026-12-01"}
"""

import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible.module_utils.migrid.provision.authority import CertificateError, Certificates, Policy, Wanted
except ImportError:
    CRYPTOGRAPHY_ERROR = traceback.format_exc()
else:
    CRYPTOGRAPHY_ERROR = None

CERTIFICATE_OPTIONS = {
    "name": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "required": True},
    "certificate": {"type": "str"},
    "private_key": {"type": "str", "no_log": True},
}


def changes(module: AnsibleModule) -> dict[str, str]:
    params = module.params
    wanted = [
        Wanted(entry["name"], tuple(entry["names"]), entry["certificate"], entry["private_key"])
        for entry in params["certificates"]
    ]
    policy = Policy(params["organization"], params["authority"], params["days"], params["renew_days"])
    certificates = Certificates(Path(params["path"]), policy)
    if params["state"] == "absent":
        return certificates.plan_removal(wanted) if module.check_mode else certificates.remove(wanted)
    return certificates.plan(wanted) if module.check_mode else certificates.write(wanted)


def changes_without_library(module: AnsibleModule) -> dict[str, str]:
    """A host that lacks the library in check mode is one where nothing is installed yet."""
    if module.params["state"] == "absent" and not Path(module.params["path"]).exists():
        return {}
    if not module.check_mode:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=CRYPTOGRAPHY_ERROR)
    return {entry["name"]: "there is none" for entry in module.params["certificates"]}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "organization": {"type": "str", "required": True},
            "authority": {"type": "str", "required": True},
            "certificates": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": CERTIFICATE_OPTIONS,
                "required_together": [("certificate", "private_key")],
            },
            "days": {"type": "int", "default": 365},
            "renew_days": {"type": "int", "default": 30},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        reasons = changes_without_library(module) if CRYPTOGRAPHY_ERROR else changes(module)
    except CertificateError as error:
        module.fail_json(msg=str(error))
    diff = "".join(f"{name}: {reason}\n" for name, reason in reasons.items())
    module.exit_json(changed=bool(reasons), changes=reasons, diff={"prepared": diff})


if __name__ == "__main__":
    main()
