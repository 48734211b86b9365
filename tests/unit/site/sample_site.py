"""A site on this machine: a MiGserver.conf, and a state directory that belongs to an account without a name."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from migrid.site.cli import main

ACCOUNT = 4242
STATE_DIRECTORIES = (
    "davs_store",
    "log",
    "mig_system_files",
    "mig_system_run",
    "notify_home",
    "openid_store",
    "user_db_home",
    "user_home",
    "user_pending",
    "webserver_home",
    "wwwpublic",
)
CONF = """\
[GLOBAL]
server_fqdn = grid.example.org
state_path = {root}/state
accounts_home = {root}/accounts
{globals}
[SITE]
enable_sftp = True
welcome_text_file = {root}/welcome.txt
{site}
"""


@dataclass(frozen=True)
class SampleSite:
    """A complete site under `root`, without users."""

    root: Path

    def build(self) -> None:
        self.root.chmod(0o755)
        self.state.mkdir(mode=0o700)
        for name in STATE_DIRECTORIES:
            (self.state / name).mkdir(mode=0o700)
        for path in (self.state, *self.state.iterdir()):
            os.chown(path, ACCOUNT, ACCOUNT)
        self.accounts.mkdir(mode=0o755)
        (self.root / "welcome.txt").write_text("Welcome to the sample site\n", encoding="utf-8")
        self.configure()

    @property
    def conf(self) -> Path:
        return self.root / "MiGserver.conf"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def accounts(self) -> Path:
        return self.root / "accounts"

    def configure(self, globals_text: str = "", site_text: str = "") -> None:
        self.conf.write_text(CONF.format(root=self.root, globals=globals_text, site=site_text), encoding="utf-8")

    def mig(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command `mig` without a terminal."""
        return subprocess.run(
            [mig_command(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "MIG_CONF": str(self.conf)},
            check=False,
        )

    def inside(self, *arguments: str) -> str:
        """Run a command of `mig` in this process, which is quicker, and expect success: its output."""
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(output):
            exit_status = main([*arguments, "--conf", str(self.conf)])
        output.seek(0)
        assert exit_status == 0
        return output.read()


def mig_command() -> str:
    return str(Path(sys.executable).parent / "mig")
