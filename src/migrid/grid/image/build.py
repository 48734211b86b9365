"""Builds the helper image on the host of a grid, as root, without a registry and without building the same twice."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..docker.cli import WORK, DockerCli, said
from ..errors import EngineError
from . import recipe

_PACKAGE = Path(__file__).parents[2]
_NOT_NEEDED = ("__pycache__", "site", "provision")
_MAKER = "mighelper_in_the_making"


def is_built(cli: DockerCli, name: str) -> bool:
    """Whether the image is here, on the base of this release."""
    found = cli.inspect("image", [name])
    return bool(found) and (found[0]["Config"].get("Labels") or {}).get(recipe.LABEL) == recipe.base_name()


def build(cli: DockerCli, name: str, mirror: str = "") -> bool:
    """Build the image unless it is here; whether it was built. Raises EngineError."""
    if is_built(cli, name):
        return False
    if not cli.inspect("image", [recipe.base_name()]):
        _build_base(cli, mirror)
    _add_code(cli, name)
    return True


def remove_old(cli: DockerCli, name: str) -> list[str]:
    """Remove the images of other releases that no container needs any more; their names."""
    rows = cli.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    ours = [row for row in rows if row.startswith((f"{recipe.REPOSITORY}:", f"{recipe.BASE_REPOSITORY}:"))]
    old = [image for image in ours if image not in (name, recipe.base_name())]
    return [image for image in old if cli.try_("image", "rm", image).status == 0]


def _build_base(cli: DockerCli, mirror: str) -> None:
    """An image gets its name last, so that a build that broke off leaves none."""
    unfinished = f"{recipe.BASE_REPOSITORY}:unfinished"
    found, security = recipe.mirrors(_apt_indexes())
    with _archive(recipe.base_command(mirror or found, security)) as archive:
        cli.feed(archive, "import", "-", unfinished)
    cli.run("tag", unfinished, recipe.base_name())
    cli.run("image", "rm", unfinished)


@contextmanager
def _archive(command: list[str]) -> Iterator[io.BufferedReader]:
    """What the command writes. Raises EngineError at the end unless it succeeded."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **recipe.ENVIRONMENT}
            )
        except FileNotFoundError:
            raise EngineError(f"There is no {command[0]} here: install the package {command[0]}.") from None
        with process:
            yield process.stdout  # type: ignore[misc]
        if process.returncode:
            errors.seek(0)
            words = said(errors.read().decode(errors="replace"))
            raise EngineError(f"Cannot build the helper image: {words} Check that this host reaches a Debian mirror.")


def _apt_indexes() -> list[str]:
    command = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except FileNotFoundError:
        return []


def _add_code(cli: DockerCli, name: str) -> None:
    """Put this package on the base, compiled, as a layer of its own."""
    cli.try_("rm", "--force", _MAKER)
    compiling = ("python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", recipe.CODE)
    cli.run("create", "--name", _MAKER, "--network", "none", "--pull", "never", recipe.base_name(), *compiling)
    try:
        cli.feed(_code(), "cp", "-", f"{_MAKER}:/")
        cli.run("start", "--attach", _MAKER, timeout=WORK)
        cli.run("commit", *recipe.changes(), _MAKER, name)
    finally:
        cli.try_("rm", "--force", _MAKER)


def _code() -> io.BytesIO:
    """An archive of this package as it is in the image."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as archive:
        archive.add(_PACKAGE, arcname=f"{recipe.CODE[1:]}/{_PACKAGE.name}", filter=_needed)
    content.seek(0)
    return content


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(entry.name).name in _NOT_NEEDED:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry
