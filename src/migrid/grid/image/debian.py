"""The parts of images that are Debian's packages, made by mmdebstrap, which needs no engine, and without root only
user namespaces."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..docker.cli import said
from ..errors import EngineError
from . import layers, recipe

_RECORDS = "/tmp/records"  # noqa: S108 -- in the tree of the image
_RECORDING = (
    'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-cache show'
    ' $(dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat "\\${Package}:\\${Architecture}=\\${Version} ")'
    f' > "$1{_RECORDS}"'
)
_COMPILING = f"python3 -m compileall -q --invalidation-mode unchecked-hash {recipe.CODE}"


@dataclass(frozen=True)
class Mirrors:
    """Where packages come from. Without `debian` that is what mmdebstrap takes by itself; without `security` it is the
    directory beside that of `debian`, as the public mirrors have it."""

    debian: str = ""
    security: str = ""

    def sources(self) -> tuple[str, ...]:
        """As lines of sources.list(5)."""
        if not self.debian:
            return ()
        return (
            f"deb {self.debian} {recipe.SUITE} main",
            f"deb {self.debian} {recipe.SUITE}-updates main",
            f"deb {self.security or f'{self.debian}-security'} {recipe.SUITE}-security main",
        )


def make_base(target: Path, mirrors: Mirrors) -> None:
    """Write the base that all images share, as an archive. Raises EngineError."""
    made = target.with_suffix(".made")
    _mmdebstrap(["--variant=essential", _include(recipe.BASE_PACKAGES)], made, mirrors)
    layers.write_anew(made, target)
    made.unlink()


def add_packages(wanted: recipe.Recipe, base: Path, target: Path, mirrors: Mirrors, *hooks: str) -> None:
    """Write the archive of the base with the packages of an image. Raises EngineError."""
    options = ["--variant=custom", _include(wanted.packages), f"--setup-hook=tar-in {_quoted(base)} /"]
    _mmdebstrap([*options, *_customize(*wanted.additions), *hooks], target, mirrors)


def keep_records(target: Path) -> list[str]:
    """The options that write what the mirrors say of each package, as deb822(5)."""
    return _customize(_RECORDING, f"download {_RECORDS} {_quoted(target)}", f'rm "$1{_RECORDS}"')


def add_code(code: Path) -> list[str]:
    """The options that bring the archive of this package, and compile it."""
    return _customize(f"tar-in {_quoted(code)} /", f'PYTHONHASHSEED=0 chroot "$1" {_COMPILING}')


def compiling() -> list[str]:
    """The command that compiles this package in a container."""
    return ["env", "PYTHONHASHSEED=0", *_COMPILING.split()]


def mirrors_of_this_host(mirror: str = "") -> Mirrors:
    """Those that apt uses here, with another one for all but security if it is given."""
    found = mirrors(_apt_indexes())
    return Mirrors(mirror.rstrip("/") or found.debian, found.security)


def mirrors(indexes: Iterable[str]) -> Mirrors:
    """From the lines `LABEL|URI` that apt tells of its sources."""
    found: dict[str, str] = {}
    for index in indexes:
        label, _, uri = index.partition("|")
        found.setdefault(label, uri.rstrip("/"))
    return Mirrors(found.get("Debian", ""), found.get("Debian-Security", ""))


def _include(packages: Sequence[str]) -> str:
    return f"--include={','.join(packages)}"


def _customize(*hooks: str) -> list[str]:
    return [f"--customize-hook={hook}" for hook in hooks]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _mmdebstrap(options: Sequence[str], target: Path, mirrors: Mirrors) -> None:
    command = ["mmdebstrap", "--quiet", "--format=tar", *options, *recipe.MMDEBSTRAP, recipe.SUITE, str(target)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(recipe.EPOCH)}
    try:
        done = subprocess.run(
            [*command, *mirrors.sources()],
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise EngineError("There is no mmdebstrap here: install the package mmdebstrap.") from None
    if done.returncode:
        raise EngineError(f"mmdebstrap failed: {said(done.stderr)} Check that this host reaches a Debian mirror.")


def _apt_indexes() -> list[str]:
    command = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except FileNotFoundError:
        return []
