"""Two hundred sessions at once, over every protocol: no error, and no memory that does not come back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import Browser, form_token
from conftest import PROJECT, Login, run

DEBIAN = "13"
"""The daemons are the same on every host; one is enough."""
USER, PASSWORD = "soak.user@example.org", "Sample-Pass-09"
KEY = PROJECT / "build/sample_user/id_ed25519"
EACH = 50
GROWTH = 1.1
MEMORY = """
import contextlib, pathlib, subprocess
def family(pid):
    with contextlib.suppress(OSError):
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(below for child in children for below in family(child))]
    return []
def size(pid):
    with contextlib.suppress(OSError):
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0
units = ["apache2", "grid_openid", "grid_sftp", "grid_ftps", "grid_webdavs"]
main = subprocess.run(["systemctl", "show", "--property=MainPID", "--value", *units], capture_output=True, text=True)
print(sum(size(pid) for found in main.stdout.split() for pid in family(found)))
"""


@dataclass(frozen=True)
class Soak:
    """What one user does in many sessions: send a file, get it back, and see that it is the same."""

    site: Any
    file: Path
    scratch: Path

    def sftp(self, number: int) -> str:
        back = self.scratch / f"sftp-{number}"
        batch = f"put {self.file} sftp-{number}\nget sftp-{number} {back}\nrm sftp-{number}\n"
        return self._compared(self.site.sftp(Login(USER, key=KEY), batch), back)

    def ftps(self, number: int) -> str:
        return self._transferred(f"ftps://{self._name}:8022/ftps-{number}", 8022, self.scratch / f"ftps-{number}")

    def davs(self, number: int) -> str:
        return self._transferred(f"https://{self._name}:4443/davs-{number}", 4443, self.scratch / f"davs-{number}")

    def web(self, number: int) -> str:
        jar, back = self.scratch / f"jar-{number}", self.scratch / f"web-{number}"
        jar.unlink(missing_ok=True)
        browser = Browser(self.site, jar)
        pages = f"https://{self.site.variables['mig_oidc_fqdn']}/wsgi-bin"
        page = browser.send(browser.open(f"{pages}/fileman.py"), login=USER, password=PASSWORD)
        token = form_token(page)
        if not token:
            return page.stdout + page.stderr
        upload = ["--header", f"X-Form-Token: {token}", "--upload-file", str(self.file)]
        browser.open(f"{pages}/upload.py?path=web-{number}&replace=1", *upload)
        return self._compared(browser.open(f"{pages}/cat.py?path=web-{number}", "--output", str(back)), back)

    @property
    def _name(self) -> str:
        return str(self.site.variables["mig_io_fqdn"])

    def _transferred(self, url: str, port: int, back: Path) -> str:
        known = ["--cacert", str(self.site.authority), "--resolve", f"{self._name}:{port}:{self.site.address}"]
        login = ["--silent", "--show-error", "--fail", "--max-time", "60", "--user", f"{USER}:{PASSWORD}"]
        there = ["curl", *known, *login, "--upload-file", str(self.file), url]
        return self._compared(run([*there, "--next", *known, *login, "--output", str(back), url]), back)

    def _compared(self, answer: subprocess.CompletedProcess[str], back: Path) -> str:
        """What went wrong; nothing if the file came back."""
        if answer.returncode != 0:
            return f"{answer.args}: {answer.stdout}{answer.stderr}"
        if back.read_bytes() != self.file.read_bytes():
            return f"{back.name} is not what was sent"
        back.unlink()
        return ""


@pytest.fixture
def user(host: Any) -> Iterator[None]:
    if host.system_info.release != DEBIAN:
        pytest.skip(f"the soak is on Debian {DEBIAN}")
    key = KEY.with_suffix(".pub").read_text().strip()
    host.check_output(f"echo '{key}' > /root/soak.pub")
    who = f"--full-name 'Soak User' --email {USER} --public-key /root/soak.pub --password-stdin"
    host.check_output(f"printf '{PASSWORD}\\n' | mig createuser {who}")
    yield
    host.check_output(f"mig deleteuser -i {USER} --yes --remove-data && rm /root/soak.pub")


def test_many_sessions_at_once(site: Any, host: Any, user: None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 256)
    soak = Soak(site, file, tmp_path)
    sizes = []
    for _ in range(2):
        assert not failures((soak.sftp, soak.ftps, soak.davs, soak.web))
        sizes.append(int(host.check_output("python3 -c %s", MEMORY)))
    assert sizes[1] <= sizes[0] * GROWTH, f"PSS in KiB: {sizes}"


def failures(protocols: tuple[Callable[[int], str], ...]) -> list[str]:
    """What went wrong when each protocol has its sessions, all at the same time."""
    sessions = [(protocol, number) for number in range(EACH) for protocol in protocols]
    with ThreadPoolExecutor(len(sessions)) as pool:
        return [problem for problem in pool.map(lambda session: session[0](session[1]), sessions) if problem]
