#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: config_set
short_description: Change all configuration files of a service as one set
description:
  - Stages all files of a service, lets the service itself check them, and makes them live at once.
  - The set is what C(/etc/migrid/<name>) shows, a symbolic link to a directory that is replaced as a whole.
  - A set that fails its check changes nothing; the service goes on with the files that it has.
  - Files of an earlier set that the new one does not name are removed.
author: The migrid authors (!UNKNOWN)
attributes:
  check_mode:
    description: Says what would change without changing it. The checks of O(validate) do not run.
    support: full
  diff_mode:
    description: Shows the difference of each file.
    support: full
options:
  name:
    description: Name of the set.
    type: str
    required: true
  files:
    description: The files of the set. Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - Where the file goes, relative to the directory of the set.
          - An absolute path is for a file that must be elsewhere, such as a systemd unit. It is remembered, and
            removed when the set no longer names it. A file that is there already and is not of the set is an error.
        type: str
        required: true
      content:
        description: What the file holds.
        type: str
      secret_content:
        description: The same, of a file that holds secrets. It is neither logged nor shown as a difference.
        type: str
      mode:
        description: Permissions as an octal number.
        type: str
        default: '0644'
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
  validate:
    description:
      - Commands that must succeed on the staged set before anything live changes.
      - C({set}) stands for the staged directory. No shell is used.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) removes the set and the files elsewhere that belong to it, and nothing else.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Write the configuration of grid_sftp
  config_set:
    name: sftp
    files:
      - path: sshd_config
        content: "{{ lookup('ansible.builtin.template', 'sshd_config.j2') }}"
        mode: '0600'
      - path: /etc/systemd/system/grid_sftp.service
        content: "{{ lookup('ansible.builtin.template', 'grid_sftp.service.j2') }}"
    validate:
      - /usr/sbin/sshd -t -f {set}/sshd_config
  notify: Reload grid_sftp

- name: Remove the configuration of grid_sftp
  config_set:
    name: sftp
    state: absent
"""

RETURN = r"""
changed_files:
  description: Paths of the files that were written or removed, as given.
  type: list
  elements: str
  returned: success
  sample: [sshd_config]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.migrid.provision.config_set import ConfigSet, ConfigSetError, File, FileChange

FILE_OPTIONS = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "secret_content": {"type": "str", "no_log": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}


def to_file(entry: dict[str, str]) -> File:
    try:
        mode = int(entry["mode"], 8)
    except ValueError:
        raise ConfigSetError(f"{entry['path']}: mode {entry['mode']!r} is not an octal number such as 0644") from None
    secret = entry["secret_content"] is not None
    content = entry["secret_content"] if secret else entry["content"]
    return File(entry["path"], content.encode(), mode, entry["owner"], entry["group"], secret)


def to_diff(change: FileChange) -> dict[str, str]:
    before, after = change.before or b"", change.after or b""
    if change.secret:
        before, after = before and b"a secret\n", after and b"another secret\n"
    return {
        "before_header": change.path,
        "after_header": change.path,
        "before": before.decode(errors="replace"),
        "after": after.decode(errors="replace"),
    }


def change_set(module: AnsibleModule) -> list[FileChange]:
    config_set = ConfigSet(module.params["name"])
    if module.params["state"] == "absent":
        return config_set.plan_removal() if module.check_mode else config_set.remove()
    files = [to_file(entry) for entry in module.params["files"]]
    return config_set.plan(files) if module.check_mode else config_set.write(files, module.params["validate"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "options": FILE_OPTIONS,
                "mutually_exclusive": [("content", "secret_content")],
                "required_one_of": [("content", "secret_content")],
            },
            "validate": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["files"])],
        supports_check_mode=True,
    )
    try:
        changes = change_set(module)
    except ConfigSetError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changes),
        changed_files=[change.path for change in changes],
        diff=[to_diff(change) for change in changes],
    )


if __name__ == "__main__":
    main()
