"""What a Docker Engine is and has, as `engine.EngineInfo`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..at_once import at_once
from ..engine import EngineInfo
from ..errors import EngineError
from . import host as docker_host
from .cli import DockerCli
from .inspect import Data, chain_ids, is_running, keeps_layers, ports

Published = tuple[str, int, str, str]

_ATTEMPTS = 5
"""The engine now and then loses what a container printed that ends at once."""


def read_info(cli: DockerCli, helper_image: str) -> EngineInfo:
    """`helper_image` helps to see the engine's file system where its directory is not visible from here."""
    asked: Any = at_once(
        (
            partial(cli.json, "version", "--format", "json"),
            partial(_root, cli, helper_image),
            partial(_every, cli, "container", "ps", "--all"),
            partial(_every, cli, "image", "image", "ls", "--all"),
            partial(_every, cli, "network", "network", "ls"),
            partial(cli.run, "compose", "version", "--short"),
            partial(volume_names, cli),
        )
    )
    (version, (info, root), containers, found, networks, compose_version, volumes) = asked
    version, keeps = version["Server"], keeps_layers(info)
    return EngineInfo(
        version=version["Version"],
        api_version=version["ApiVersion"],
        compose_version=compose_version.strip(),
        architecture=version["Arch"],
        os=version["Os"],
        storage_driver=info["Driver"],
        free_bytes=root.free_bytes,
        memory_bytes=info["MemTotal"],
        copy_on_write=root.kind == "btrfs",
        keeps_layers=keeps,
        layers=tuple(sorted(_chains(found))) if keeps else (),
        published=tuple(_published(containers)),
        subnets=dict(_subnets(networks)),
        container_names=tuple(sorted(item["Name"].lstrip("/") for item in containers)),
        volumes=volumes,
        images=_references(found),
    )


def references(cli: DockerCli) -> dict[str, str]:
    """What each reference of an image names, by id."""
    return _references(_every(cli, "image", "image", "ls", "--all"))


def volume_names(cli: DockerCli) -> tuple[str, ...]:
    """The names of all volumes."""
    return tuple(cli.lines("volume", "ls", "--quiet"))


def free_bytes(cli: DockerCli, helper_image: str) -> int:
    """What is free where the engine keeps volumes."""
    return _root(cli, helper_image)[1].free_bytes


def volumes_directory(info: Any) -> Path:
    """Where the engine keeps volumes on its host, as `docker info` has it."""
    return Path(info["DockerRootDir"]) / "volumes"


def _every(cli: DockerCli, kind: str, *listing: str) -> list[dict[str, Any]]:
    return cli.inspect(kind, cli.lines(*listing, "--quiet", "--no-trunc"))


def _references(found: Iterable[Data]) -> dict[str, str]:
    return {reference: item["Id"] for item in found for reference in item.get("RepoTags") or ()}


def _root(cli: DockerCli, helper_image: str) -> tuple[Any, docker_host.FileSystem]:
    """What `docker info` says, and the file system that it names."""
    info = cli.json("info", "--format", "json")
    return info, _volumes_file_system(cli, info, helper_image)


def _chains(found: Iterable[Data]) -> set[str]:
    return {chain for item in found for chain in chain_ids(item["RootFS"].get("Layers") or ())}


def _published(containers: Iterable[Data]) -> Iterator[Published]:
    """The ports of running containers, and those on which something else on this host listens."""
    taken: set[tuple[int, str]] = set()
    for item in filter(is_running, containers):
        for port in ports(item):
            taken.add((port.host_port, port.protocol))
            yield port.host_address, port.host_port, port.protocol, f"container {item['Name'].lstrip('/')}"
    for address, number, protocol in sorted(set(docker_host.listening()) if _is_local() else ()):
        if (number, protocol) not in taken:
            yield address, number, protocol, "a process of the host"


def _is_local() -> bool:
    """Whether the engine is on this host, as far as its address tells."""
    return os.environ.get("DOCKER_HOST", "unix:").startswith("unix:")


def _subnets(networks: Iterable[Data]) -> Iterator[tuple[str, str]]:
    for network in networks:
        for pool in network["IPAM"].get("Config") or ():
            if pool.get("Subnet"):
                yield pool["Subnet"], network["Name"]


def _volumes_file_system(cli: DockerCli, info: Any, helper_image: str) -> docker_host.FileSystem:
    """The file system of the engine's volumes. In a container, the engine's directory is looked at from another."""
    volumes = volumes_directory(info)
    if _is_local() and volumes.is_dir():
        return docker_host.file_system_of(volumes)
    if not helper_image:
        raise EngineError(f"{volumes} is not visible here, and this grid has no helper image to look at it from.")
    mount = f"type=bind,source={volumes},target=/volumes,readonly"
    program, *arguments = docker_host.STAT
    options = ("--rm", "--pull", "never", "--network", "none", "--read-only", "--mount", mount, "--entrypoint", program)
    for _ in range(_ATTEMPTS):
        if said := cli.run("run", *options, helper_image, *arguments, "/volumes").strip():
            return docker_host.file_system(said)
    raise EngineError(f"The engine lost what `{program}` said of {volumes}. See `journalctl -u docker`.")
