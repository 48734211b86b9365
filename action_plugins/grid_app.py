# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring the directories of applications to the host, each as one archive, and let the module do the rest."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

CHECKOUT = Path(__file__).parents[1]


class ActionModule(ActionBase):
    """The module ``grid_app`` on the host, with directories of the control node."""

    _supports_check_mode = True
    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send what the entries need, and run the module."""
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        entries = arguments.get("applications")
        try:
            if isinstance(entries, list):
                arguments["applications"] = [self._sent(number, entry) for number, entry in enumerate(entries)]
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _sent(self, number: int, entry: Any) -> Any:
        """The entry as the module takes it: with an archive on the host in place of a directory here."""
        if not isinstance(entry, dict):
            return entry
        rest = {name: value for name, value in entry.items() if name != "remote_src"}
        directory = entry.get("directory")
        if not isinstance(directory, str) or not directory or entry.get("remote_src", False):
            return rest
        if entry.get("state") == "absent":
            return {**rest, "directory": None}
        return {**rest, "directory": self._send(number, CHECKOUT / directory), "archived": True}

    def _send(self, number: int, directory: Path) -> str:
        if not directory.is_dir():
            raise AnsibleActionFail(f"applications[{number}]: {directory} is no directory on the control node")
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, f"application-{number}.tar.gz")
        with tempfile.NamedTemporaryFile(suffix=".tar.gz") as local:
            with tarfile.open(local.name, "w:gz", compresslevel=1) as archive:
                archive.add(directory, arcname=".", filter=_kept)
            self._transfer_file(local.name, remote)
        return str(remote)


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A member of the archive as it shall be on the host: owned by root, and without the repository's own files."""
    if ".git" in Path(member.name).parts:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
