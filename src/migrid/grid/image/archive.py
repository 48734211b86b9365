"""Images as files that `docker load` takes, written without an engine.

The archive has the layout of `docker save` (Docker Image Specification 1.2), which every engine since 1.10 loads, the
configuration in it is that of the OCI image specification 1.1. No tool of Debian 12 and 13 writes both with fixed times
in one step.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from . import layers, recipe
from .layers import Layer

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
CREATED = datetime.fromtimestamp(recipe.EPOCH, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Image:
    """What an image is: its name with the version, its layers from below, and what a container of it runs as whom."""

    name: str
    layers: Sequence[Layer]
    command: Sequence[str] = ()
    recipe: str = ""
    user: str = ""


def write(image: Image, target: IO[bytes]) -> None:
    """Write the archive of an image. The engine that loads it must have the layers that have no file."""
    configuration = _json(_configuration(image))
    config_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    names = [_file_name(layer) for layer in image.layers]
    manifest = _json([{"Config": config_name, "RepoTags": [image.name], "Layers": names}])
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for name, layer in dict(zip(names, image.layers, strict=True)).items():
            if layer.path:
                with layer.path.open("rb") as stream:
                    _add(archive, name, layer.path.stat().st_size, stream)
        for name, content in ((config_name, configuration), ("manifest.json", manifest)):
            _add(archive, name, len(content), io.BytesIO(content))


def _configuration(image: Image) -> dict[str, Any]:
    run = {
        "Env": [f"PYTHONPATH={recipe.CODE}"],
        "Cmd": list(image.command) or None,
        "User": image.user,
        "Labels": {recipe.LABEL: image.recipe} if image.recipe else None,
    }
    return {
        "created": CREATED,
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {name: value for name, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in image.layers]},
        "history": [{"created": CREATED} for _ in image.layers],
    }


def _file_name(layer: Layer) -> str:
    suffix = "".join(layer.path.suffixes) if layer.path else ".tar"
    return f"{layer.digest.removeprefix('sha256:')}{suffix}"


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    entry = layers.fixed(tarfile.TarInfo(name))
    entry.size = size
    archive.addfile(entry, content)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
