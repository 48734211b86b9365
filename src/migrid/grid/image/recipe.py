"""What is in the images of the MIG assembly: one base of Debian's packages that they share, the packages of each, and
this package on top."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..errors import InvalidNameError

SUITE = "trixie"
PREFIX = "migrid/"
LABEL = "migrid.recipe"
CODE = "/opt/migrid"
EPOCH = 1_700_000_000
"""The time of all that the images hold, so that the same packages make the same image."""
BASE_PACKAGES = ("python3",)

_LEFT_OUT = ("doc/*", "info", "lintian", "locale", "man")
_OF_THE_BUILDER = ("hostname", "resolv.conf", "apt/sources.list")
_APT = ('APT::Install-Recommends "false"', 'Acquire::Languages "none"')
MMDEBSTRAP = (
    *(f"--aptopt={option}" for option in _APT),
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    *(f'--customize-hook=rm --force "$1/etc/{name}"' for name in _OF_THE_BUILDER),
)
"""How each part is made: without documentation, but with the licences, which go wherever the software goes."""


@dataclass(frozen=True)
class Recipe:
    """One image: its packages besides those of the base, what it runs, and as whom. `additions` are shell commands that
    add to its tree, which is `$1`."""

    title: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    additions: tuple[str, ...] = ()
    user: str = ""

    @property
    def name(self) -> str:
        """As it is in the names of images and files."""
        return self.title.lower()

    @property
    def repository(self) -> str:
        """The name of its images, without a version."""
        return f"{PREFIX}{self.name}"

    @property
    def base(self) -> str:
        """The image of all but this package, whose name is another one for other packages."""
        return f"{self.repository}-base:{_digest(shared_base(), *self.packages, *self.additions)}"


def shared_base() -> str:
    """The image below all of them."""
    return f"{PREFIX}appliance-base:{_digest(SUITE, *BASE_PACKAGES, *MMDEBSTRAP)}"


MIGHELPER = Recipe(
    "MigHelper",
    (
        "btrfs-progs",
        "docker-cli",
        "docker-compose",
        "libnginx-mod-stream",
        "nftables",
        "nginx",
        "openssh-client",
        "python3-cheroot",
        "python3-flask",
        "python3-xxhash",
    ),
    ("python3", "-m", "migrid.grid.helper"),
)
MIG = Recipe(
    "MIG",
    ("haproxy", "netbase", "nftables"),
    ("python3", "-m", "migrid.ps8"),
)
_WWW_DATA = "33:33"
MIGCTL = Recipe(
    "MIGCTL",
    ("apache2-bin", "libapache2-mod-wsgi-py3", "openssh-client", "openssl", "python3-flask", "python3-yaml"),
    ("python3", "-m", "migrid.migctl.page"),
    additions=(
        f'mkdir -m 700 "$1/mnt/config" && chown {_WWW_DATA} "$1/mnt/config"',
        'ln -s /run/applogic.sh "$1/etc/applogic.sh"',
        r"""printf '#!/bin/sh\nexec python3 -m migrid.migctl.cli "$@"\n' >"$1/usr/local/bin/migctl" """
        '&& chmod 755 "$1/usr/local/bin/migctl"',
    ),
    user=_WWW_DATA,
)
RECIPES = (MIG, MIGCTL, MIGHELPER)


def of(image: str) -> Recipe:
    """The recipe of an image, by its name. Raises InvalidNameError."""
    for recipe in RECIPES:
        if image.partition(":")[0] == recipe.repository:
            return recipe
    known = ", ".join(f"{recipe.repository}:VERSION" for recipe in RECIPES)
    raise InvalidNameError(f"{image!r} is no image of the MIG assembly; they are: {known}.")


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
