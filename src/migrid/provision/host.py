"""What the roles need to know of a host, in one look."""

from __future__ import annotations

import grp
import platform
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

GRID_UNITS = ("docker.service", "ssh.service", "sshd.service", "mig_grid_guard.service")
SITE_UNITS = (
    "migrid.target",
    "apache2.service",
    "httpd.service",
    "grid_sftp.service",
    "grid_openid.socket",
    "grid_webdavs.service",
)
WATCHING_UNITS = (
    "migrid-mail.path",
    "migrid-mail.timer",
    "migrid-notifyexpire.timer",
    "migrid-publish.path",
    "migrid-revocation.timer",
    "migrid-revocation.path",
)
UNITS = (*SITE_UNITS, *WATCHING_UNITS, *GRID_UNITS)
DPKG_STATUS = Path("/var/lib/dpkg/status")
INSTALLED = (" ok installed", " ok triggers-awaited", " ok triggers-pending")

# By the ID of os-release(5): the distribution and its family, in Ansible's words.
DISTRIBUTIONS = {
    "debian": ("Debian", "Debian"),
    "ubuntu": ("Ubuntu", "Debian"),
    "rhel": ("RedHat", "RedHat"),
    "rocky": ("Rocky", "RedHat"),
    "almalinux": ("AlmaLinux", "RedHat"),
    "centos": ("CentOS", "RedHat"),
}


class UnsupportedHostError(Exception):
    """The host has a distribution that no role knows; the message says which ones they know."""


def facts(account: str, release_link: Path) -> dict[str, Any]:
    """Ansible's facts about the distribution, and ``mig_host``.

    ``mig_host`` holds the names of the installed ``packages``; those of UNITS that are ``running`` and start with the
    host; the ``home`` and the ``group`` of ``account``, or None if there is no such account; and the ``release`` that
    the symbolic link ``release_link`` leads to, or None.

    Raises:
        UnsupportedHostError: no role supports the distribution.
    """
    distribution = _distribution(platform.freedesktop_os_release())
    look = installed_deb if distribution["os_family"] == "Debian" else installed_rpm
    release = str(release_link.readlink()) if release_link.is_symlink() else None
    found = {"packages": sorted(look()), "running": running(), "release": release, **_account(account)}
    return distribution | {"mig_host": found}


def _distribution(release: Mapping[str, str]) -> dict[str, str]:
    identity, version = release.get("ID", "?"), release.get("VERSION_ID", "")
    if identity not in DISTRIBUTIONS:
        known = ", ".join(name for name, _ in DISTRIBUTIONS.values())
        raise UnsupportedHostError(f"the distribution {identity!r} is not supported; the roles know {known}")
    name, family = DISTRIBUTIONS[identity]
    return {
        "distribution": name,
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "os_family": family,
    }


def installed_deb() -> Iterator[str]:
    """Names of the installed packages, from dpkg's status file (deb-control(5) stanzas)."""
    name = ""
    for line in DPKG_STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith("Package: "):
            name = line.removeprefix("Package: ")
        elif line.startswith("Status: ") and line.endswith(INSTALLED):
            yield name


def installed_rpm() -> list[str]:
    """Names of the installed packages, as rpm lists them."""
    query = ["rpm", "--query", "--all", "--queryformat", "%{NAME}\n"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()


def running() -> list[str]:
    """Those of UNITS that are active and enabled, as ``systemctl show`` says; none where systemd is not."""
    if not shutil.which("systemctl"):
        return []
    show = ["systemctl", "show", "--property=Id,ActiveState,UnitFileState", *UNITS]
    blocks = subprocess.run(show, capture_output=True, text=True, check=False).stdout.split("\n\n")
    units = [dict(line.split("=", 1) for line in block.split("\n") if line) for block in blocks]
    return [
        unit["Id"] for unit in units if (unit.get("ActiveState"), unit.get("UnitFileState")) == ("active", "enabled")
    ]


def _account(name: str) -> dict[str, str | None]:
    try:
        entry = pwd.getpwnam(name)
        return {"home": entry.pw_dir, "group": grp.getgrgid(entry.pw_gid).gr_name}
    except KeyError:
        return {"home": None, "group": None}
