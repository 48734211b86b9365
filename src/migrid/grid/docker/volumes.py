"""The trees of an application on a Docker Engine: its volumes, found, made and removed, and its project directory."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..application import Tree, TreeKind
from ..errors import EngineError
from . import host as docker_host
from . import subvolume as docker_subvolume
from .cli import DockerCli
from .inspect import NUMBER, PROJECT, SERVICE, Data, is_one_off, labels

ANONYMOUS = "anonymous_"
"""How the names of trees begin that are anonymous volumes where the application comes from."""

MOUNTED = "mig.mounted"
"""The label of such a tree: the service and the place in its container, as `web:/cache`."""

_ANONYMOUS_VOLUME = re.compile(r"[0-9a-f]{64}", re.ASCII)
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+", re.ASCII)


def volumes(cli: DockerCli, model: Mapping[str, Any], containers: Iterable[Data]) -> Iterator[Tree]:
    """The volumes of an application that are there and whose files are its own."""
    declared: Mapping[str, Any] = model.get("volumes") or {}
    anonymous = {name: (key, place) for name, key, place in _anonymous(containers)}
    found = cli.inspect("volume", [*(item["name"] for item in declared.values()), *anonymous])
    present = {item["Name"]: item for item in found}
    for key, wanted in sorted(declared.items()):
        data = present.get(wanted["name"])
        if data and is_own(data.get("Driver") or "local", data.get("Options") or {}):
            yield _tree(key, data, external=bool(wanted.get("external")))
    for name, (key, place) in sorted(anonymous.items(), key=lambda item: item[1]):
        if name in present:
            tree = _tree(key, present[name], external=False)
            yield dataclasses.replace(tree, labels={**tree.labels, MOUNTED: place})


def is_anonymous(tree: Tree) -> bool:
    """Whether the engine chose the volume's name."""
    return tree.kind is TreeKind.VOLUME and _ANONYMOUS_VOLUME.fullmatch(tree.location) is not None


def is_own(driver: str, options: Mapping[str, str]) -> bool:
    """Whether the engine itself keeps the files of such a volume, rather than memory or some other place."""
    return driver == "local" and not options.get("device") and options.get("type") != "tmpfs"


def make_volume(cli: DockerCli, tree: Tree, helper_image: str) -> None:
    """An empty volume. One that is there already must have the labels of the tree, which name the application."""
    present = cli.inspect("volume", [tree.location])
    if present:
        _check_same(present[0], tree)
        return
    chosen = [*_pairs("--opt", tree.driver_options), *_pairs("--label", tree.labels)]
    cli.run("volume", "create", "--driver", tree.driver, *chosen, "--", tree.location)
    if tree.driver == "local" and not tree.driver_options:
        for made in cli.inspect("volume", [tree.location]):
            _make_subvolume(cli, Path(made["Mountpoint"]), helper_image)


def remove_volume(cli: DockerCli, tree: Tree) -> None:
    if cli.inspect("volume", [tree.location]):
        cli.run("volume", "rm", "--", tree.location)


def make_directory(tree: Tree) -> None:
    try:
        Path(tree.location).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"Cannot make the directory {tree.location}: {error.strerror}.") from error


def remove_directory(tree: Tree) -> None:
    try:
        shutil.rmtree(tree.location)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise EngineError(f"Cannot remove {error.filename}: {error.strerror}.") from error


def _anonymous(containers: Iterable[Data]) -> Iterator[tuple[str, str, str]]:
    """The anonymous volumes: the name of each, what to call it as a tree, and where it is mounted."""
    for item in containers:
        service, number = labels(item).get(SERVICE, ""), labels(item).get(NUMBER, "1")
        for mount in () if is_one_off(item) else item.get("Mounts") or ():
            if mount["Type"] == "volume" and _ANONYMOUS_VOLUME.fullmatch(mount["Name"]):
                words = [service, *([number] if number != "1" else []), mount["Destination"].strip("/")]
                key = ANONYMOUS + _UNFIT.sub("_", "_".join(words))
                yield mount["Name"], key, f"{service}:{mount['Destination']}"


def _tree(key: str, data: Data, external: bool) -> Tree:
    return Tree(
        name=key,
        kind=TreeKind.VOLUME,
        location=data["Name"],
        external=external,
        driver=data["Driver"],
        driver_options=data.get("Options") or {},
        labels=data.get("Labels") or {},
    )


def _check_same(data: Data, tree: Tree) -> None:
    present = data.get("Labels") or {}
    if not tree.labels or any(present.get(label) != value for label, value in tree.labels.items()):
        owner = present.get(PROJECT)
        of = f"belongs to the application {owner}" if owner else "was not made for this application"
        raise EngineError(
            f"There is a volume {tree.location} on this grid already, and it {of}. Move the application under another"
            f" name (target_app), or remove the volume if nobody needs it: docker volume rm {tree.location}"
        )


def _pairs(option: str, values: Mapping[str, str]) -> list[str]:
    return [word for name, value in values.items() for word in (option, f"{name}={value}")]


def _make_subvolume(cli: DockerCli, mountpoint: Path, helper_image: str) -> None:
    """Where the engine's directory cannot be written to from here, in a container; only btrfs has subvolumes."""
    if mountpoint.is_dir() and not docker_host.is_btrfs(mountpoint):
        return
    if os.access(mountpoint.parent, os.W_OK):
        docker_subvolume.replace(mountpoint)
    elif helper_image:
        mount = f"type=bind,source={mountpoint.parent},target=/volume"
        options = ("--rm", "--pull", "never", "--network", "none", "--read-only", "--mount", mount)
        module = ("-m", docker_subvolume.MODULE, "replace", f"/volume/{mountpoint.name}")
        cli.run("run", *options, "--entrypoint", "python3", helper_image, *module)
