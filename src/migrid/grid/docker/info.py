"""What a Docker Engine is and has, as `engine.EngineInfo`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

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
    version, info = cli.json("version", "--format", "json")["Server"], cli.json("info", "--format", "json")
    containers = cli.inspect("container", cli.lines("ps", "--all", "--quiet", "--no-trunc"))
    found = cli.inspect("image", cli.lines("image", "ls", "--all", "--quiet", "--no-trunc"))
    networks = cli.inspect("network", cli.lines("network", "ls", "--quiet", "--no-trunc"))
    root = _volumes_file_system(cli, info, helper_image)
    keeps = keeps_layers(info)
    return EngineInfo(
        version=version["Version"],
        api_version=version["ApiVersion"],
        compose_version=cli.run("compose", "version", "--short").strip(),
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
        volumes=tuple(cli.lines("volume", "ls", "--quiet")),
        images={reference: item["Id"] for item in found for reference in item.get("RepoTags") or ()},
    )


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
    volumes = Path(info["DockerRootDir"]) / "volumes"
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
