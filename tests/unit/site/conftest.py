"""A site on this machine: a MiGserver.conf, and a state directory that belongs to an account without a name."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ACCOUNT = 4242
STATE_DIRECTORIES = (
    "log",
    "mig_system_files",
    "mig_system_run",
    "user_db_home",
    "user_home",
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


def mig_command() -> str:
    return str(Path(sys.executable).parent / "mig")


@pytest.fixture
def sample_site() -> Iterator[SampleSite]:
    # Not tmp_path: the site's account must be able to walk down to its state directory.
    if os.geteuid() != 0:
        pytest.skip("needs root, as the command mig does")
    with tempfile.TemporaryDirectory(prefix="mig-site-") as directory:
        site = SampleSite(Path(directory))
        site.root.chmod(0o755)
        site.state.mkdir(mode=0o700)
        for name in STATE_DIRECTORIES:
            (site.state / name).mkdir(mode=0o700)
        for path in (site.state, *site.state.iterdir()):
            os.chown(path, ACCOUNT, ACCOUNT)
        site.accounts.mkdir(mode=0o755)
        (site.root / "welcome.txt").write_text("Welcome to the sample site\n", encoding="utf-8")
        site.configure()
        yield site
