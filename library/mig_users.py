#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mig_users
short_description: Make the users of a MiG site what a list says
description:
  - Creates, changes, renames, suspends and removes users, all in one transaction. When an entry is wrong, nothing
    changes, and the error names every wrong entry and field.
  - The users' host accounts, which the login services of the site read, follow in the same run.
  - No password, password hash or content of O(users) is ever logged or returned.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Says what would change without changing it, also before the site exists.
    support: full
  diff_mode:
    description: Shows each changed user before and after. Of a password it only says that it is set or changed.
    support: full
options:
  users:
    description:
      - One entry for each user. What an entry leaves out stays as it is, and is the default for a new user.
      - C(distinguished_name) says who the user is,
        as C(/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org). Instead of it the fields
        C(full_name), C(email) (both required), C(organization), C(organizational_unit), C(locality), C(province) and
        C(country) (two letters) may be given. These identify the user.
      - C(alias), the login name; at first the e-mail address in lower case.
      - C(password), or C(password_hash) as crypt(3) has it (yescrypt, bcrypt, SHA-512, SHA-256). A user with neither
        logs in with a key, or not at all.
      - C(public_keys), a list of lines as in authorized_keys(5), without options.
      - C(state), V(present) (default), V(suspended) (keeps everything but cannot log in) or V(absent) (the user's data
        stays for a later user of the same name).
      - C(expire), the day (C(YYYY-MM-DD), UTC) on which access ends; C('') is never, the default.
      - C(comment), any text.
      - C(login_methods), a list of V(migcert), V(extcert), V(migoidc) and V(extoidc), the ways into the web; or V(all)
        that the site enables, the default.
      - C(services), a mapping of V(web), V(sftp), V(ftps) and V(davs) to what the user has there only. C(password) or
        C(password_hash) (C('') takes it away) and C(public_keys) (C([]) takes them away) count there instead of the
        general ones; C(enabled), V(false) keeps the user out.
      - C(previous_distinguished_name), of a user who changed the name or e-mail address; the home and everything else
        go with the user. May stay in the entry.
      - C(remove_data), with C(state=absent); V(true) removes the home directory too.
    type: list
    elements: dict
    required: true
  purge:
    description: Whether users that O(users) does not name are removed. Their data stays.
    type: bool
    default: false
  update_password:
    description:
      - V(on_create) sets the passwords of new users only, the general one and those of services.
      - V(always) sets it whenever it differs. To find out, each plain password is hashed, which takes about 20 ms.
    type: str
    choices: [on_create, always]
    default: on_create
  conf:
    description: Path of the site's MiGserver.conf.
    type: path
    default: /opt/migrid/server/MiGserver.conf
"""

EXAMPLES = r"""
- name: Create two users
  mig_users:
    users:
      - full_name: Ada Example
        email: ada@example.org
        organization: Test Org
        country: DK
        password_hash: "{{ vault_ada_hash }}"
        public_keys:
          - "{{ lookup('ansible.builtin.file', 'files/ada.pub') }}"
      - distinguished_name: /C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Bo Example/emailAddress=bo@example.org
        alias: bo
        password: "{{ vault_bo_password }}"
        expire: '2027-12-31'
        login_methods: [migcert]
        services:
          davs:
            password_hash: "{{ vault_bo_davs_hash }}"
          ftps:
            enabled: false

- name: Follow a changed e-mail address
  mig_users:
    users:
      - full_name: Ada Example
        email: ada.example@example.org
        organization: Test Org
        country: DK
        previous_distinguished_name: /C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org

- name: Remove a user with all data
  mig_users:
    users:
      - distinguished_name: /C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Bo Example/emailAddress=bo@example.org
        state: absent
        remove_data: true
"""

RETURN = r"""
users:
  description: The users that changed.
  type: list
  elements: dict
  returned: success
  contains:
    client_id:
      description: The distinguished name.
      type: str
    alias:
      description: The login name.
      type: str
    action:
      description: V(created), V(changed), V(renamed), V(suspended), V(resumed) or V(removed).
      type: str
    fields:
      description: Names of the fields that changed.
      type: list
      elements: str
  sample:
    - client_id: /C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org
      alias: ada@example.org
      action: changed
      fields: [password, expire]
published:
  description: Whether the host's account files changed.
  type: bool
  returned: success
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.site.configuration import Configuration, load
from ansible.module_utils.migrid.site.errors import MigError
from ansible.module_utils.migrid.site.plan import Change, UpdatePassword
from ansible.module_utils.migrid.site.reconcile import Outcome, reconcile
from ansible.module_utils.migrid.site.users import parse_entries


def site_of(conf: Path, check_mode: bool) -> Configuration | None:
    """The site, or None when it does not exist yet and need not."""
    if check_mode and not conf.exists():
        return None
    site = load(conf)
    return None if check_mode and not site.state_path.exists() else site


def run(module: AnsibleModule) -> Outcome:
    entries = parse_entries(module.params["users"])
    return reconcile(
        site_of(Path(module.params["conf"]), module.check_mode),
        entries,
        purge=module.params["purge"],
        update_password=UpdatePassword(module.params["update_password"]),
        dry_run=module.check_mode,
    )


def to_result(change: Change) -> dict[str, object]:
    return {
        "client_id": change.client_id,
        "alias": change.alias,
        "action": change.action,
        "fields": list(change.fields),
    }


def to_diff(change: Change) -> dict[str, str]:
    header = f"user {change.client_id}"
    return {"before_header": header, "after_header": header, "before": change.before, "after": change.after}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "dict", "required": True, "no_log": True},
            "purge": {"type": "bool", "default": False},
            "update_password": {
                "type": "str",
                "choices": ["on_create", "always"],
                "default": "on_create",
                "no_log": False,
            },
            "conf": {"type": "path", "default": "/opt/migrid/server/MiGserver.conf"},
        },
        supports_check_mode=True,
    )
    # Looking for each value of 10,000 users in each result takes minutes. Nothing returned below can hold a secret.
    module.no_log_values.clear()
    invocation = {"module_args": {**module.params, "users": f"{len(module.params['users'])} entries"}}
    try:
        outcome = run(module)
    except MigError as error:
        module.fail_json(msg=str(error), invocation=invocation)
    for reason in outcome.refused:
        module.warn(reason)
    result = {"users": [to_result(change) for change in outcome.changes], "published": outcome.published}
    if module._diff:
        result["diff"] = [to_diff(change) for change in outcome.changes]
    module.exit_json(changed=outcome.changed, invocation=invocation, **result)


if __name__ == "__main__":
    main()
