"""What is in the helper image: a base of Debian's packages, and this package on top of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SUITE = "trixie"
DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://security.debian.org/debian-security"
REPOSITORY = "migrid/mighelper"
BASE_REPOSITORY = "migrid/mighelper-base"
LABEL = "migrid.recipe"
CODE = "/opt/migrid"

_PACKAGES = (
    "btrfs-progs",
    "docker-cli",
    "docker-compose",
    "libnginx-mod-stream",
    "nftables",
    "nginx",
    "openssh-client",
    "python3",
    "python3-xxhash",
)
_LEFT_OUT = ("doc", "info", "lintian", "locale", "man")
_EPOCH = "1700000000"
_OPTIONS = (
    "--variant=essential",
    f"--include={','.join(_PACKAGES)}",
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
    '--customize-hook=rm --force "$1/etc/hostname" "$1/etc/resolv.conf"',
)
ENVIRONMENT = {"SOURCE_DATE_EPOCH": _EPOCH}
"""Two grids that build from the same packages get the same layer."""


def base_name() -> str:
    """The name of the base, another one for each recipe."""
    digest = hashlib.sha256("\n".join((SUITE, *_OPTIONS)).encode()).hexdigest()
    return f"{BASE_REPOSITORY}:{digest[:12]}"


def base_command(mirror: str, security: str) -> list[str]:
    """The command that writes the base as an archive to its output."""
    sources = (
        f"deb {mirror} {SUITE} main",
        f"deb {mirror} {SUITE}-updates main",
        f"deb {security} {SUITE}-security main",
    )
    return ["mmdebstrap", *_OPTIONS, SUITE, "-", *sources]


def changes() -> list[str]:
    """The options of `docker commit` that say how the image is run."""
    settings = (f"ENV PYTHONPATH={CODE}", 'CMD ["python3", "-m", "migrid.grid.helper"]', f"LABEL {LABEL}={base_name()}")
    return [word for setting in settings for word in ("--change", setting)]


def mirrors(indexes: Iterable[str]) -> tuple[str, str]:
    """The mirrors of Debian and of its security updates that this host uses, from the lines `LABEL|URI` that apt tells
    of its sources; the public ones where it has none."""
    found: dict[str, str] = {}
    for index in indexes:
        label, _, uri = index.partition("|")
        found.setdefault(label, uri.rstrip("/"))
    return found.get("Debian", DEFAULT_MIRROR), found.get("Debian-Security", DEFAULT_SECURITY_MIRROR)
