"""Archives of images as `docker save` writes them, without the layers that the other grid has."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Sequence
from typing import IO

from .inspect import chain_ids

_CHUNK = 1 << 20
_MANIFEST = "manifest.json"
_ID = re.compile(r"(sha256:)?[0-9a-f]{12,64}", re.ASCII)


def layers_to_leave_out(images: Iterable[Sequence[str]], known_chains: frozenset[str]) -> frozenset[str]:
    """The layers, by digest, that the other grid has wherever they occur in these images, each a list of layers.

    What counts is the chain: a layer that is there on top of others is of no use to an image that has it elsewhere.
    """
    present: set[str] = set()
    missing: set[str] = set()
    for layers in images:
        for layer, chain in zip(layers, chain_ids(layers), strict=True):
            (present if chain in known_chains else missing).add(layer)
    return frozenset(present - missing)


def copy_archive(source: IO[bytes], target: IO[bytes], left_out: frozenset[str]) -> None:
    """Copy an archive without these layers, in one pass. Raises tarfile.TarError when it is cut off.

    Engines since release 25 name a layer by its digest. In an archive of an older one, which names them otherwise, all
    layers are found to be wanted. The engine that loads the archive does not look for a layer whose chain it has.
    """
    names = {f"blobs/{layer.replace(':', '/')}" for layer in left_out}
    with (
        tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK) as archive,
        tarfile.open(fileobj=target, mode="w|", bufsize=_CHUNK, format=tarfile.PAX_FORMAT) as copy,
    ):
        complete = False
        for member in archive:
            complete = complete or member.name == _MANIFEST
            if member.name not in names:
                copy.addfile(member, archive.extractfile(member) if member.isreg() else None)
    if not complete:
        raise tarfile.ReadError(f"it has no {_MANIFEST}")
    while source.read(_CHUNK):
        pass  # what follows the end of the archive, so that its writer can end too


def familiar(reference: str) -> str:
    """A reference as the engine shows it: `docker.io/library/busybox` is `busybox:latest`."""
    name, at, digest = reference.partition("@")
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    tagged = ":" in name.rpartition("/")[2]
    return f"{name}{'' if tagged or at else ':latest'}{at}{digest}"


def can_be_given(reference: str) -> bool:
    """Whether an image can be given this reference. One by digest belongs to a registry, and one by id to the image."""
    return bool(reference) and "@" not in reference and not is_id(reference)


def is_id(reference: str) -> bool:
    """Whether the reference is the id of an image, or its beginning."""
    return _ID.fullmatch(reference) is not None
