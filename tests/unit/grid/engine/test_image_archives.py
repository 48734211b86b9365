"""Archives of images lose exactly the layers that the other grid has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence

import pytest

from migrid.grid.docker import images
from migrid.grid.docker.inspect import chain_ids

LAYERS = [bytes([number]) * (1000 * number + 1) for number in range(1, 5)]
A, B, C, D = ("sha256:" + hashlib.sha256(layer).hexdigest() for layer in LAYERS)


def archive(layers: Sequence[bytes], layout: str = "blobs/sha256/{}") -> bytes:
    """An archive of one image as `docker save` lays it out."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    manifest = json.dumps([{"Layers": [layout.format(digest) for digest in digests]}]).encode()
    files = {layout.format(digest): layer for digest, layer in zip(digests, layers, strict=True)}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        blobs = tarfile.TarInfo("blobs")
        blobs.type = tarfile.DIRTYPE
        tar.addfile(blobs)
        for name, content in {**files, "manifest.json": manifest}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_700_000_000
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def copied(source: bytes, left_out: frozenset[str]) -> dict[str, bytes]:
    target = io.BytesIO()
    images.copy_archive(io.BytesIO(source), target, left_out)
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        members = tar.getmembers()
        return {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in members}


def test_without_known_layers_all_travels() -> None:
    source = archive(LAYERS)
    files = copied(source, frozenset())
    assert len(files) == len(LAYERS) + 2
    assert files[f"blobs/sha256/{A[7:]}"] == LAYERS[0]


def test_known_layers_stay_and_the_manifest_still_names_them() -> None:
    files = copied(archive(LAYERS), frozenset({A, C}))
    assert {name for name in files if len(name) > 20} == {f"blobs/sha256/{layer[7:]}" for layer in (B, D)}
    assert len(json.loads(files["manifest.json"])[0]["Layers"]) == len(LAYERS)


def test_an_older_layout_travels_whole() -> None:
    assert len(copied(archive(LAYERS, "{}/layer.tar"), frozenset({A, B, C, D}))) == len(LAYERS) + 2


def test_an_archive_that_was_cut_off_is_an_error() -> None:
    with pytest.raises(tarfile.TarError):
        images.copy_archive(io.BytesIO(archive(LAYERS)[:5000]), io.BytesIO(), frozenset())
    with pytest.raises(tarfile.TarError):
        images.copy_archive(io.BytesIO(), io.BytesIO(), frozenset())


def test_the_source_is_read_to_its_end() -> None:
    source = io.BytesIO(archive(LAYERS) + bytes(100_000))
    images.copy_archive(source, io.BytesIO(), frozenset())
    assert source.read() == b""


def test_a_base_that_the_other_grid_has_is_left_out() -> None:
    known = frozenset(chain_ids([A, B]))
    assert images.layers_to_leave_out([[A, B, C]], known) == {A, B}


def test_a_layer_that_is_there_in_another_chain_only_is_sent() -> None:
    known = frozenset(chain_ids([A, D, B]))
    assert images.layers_to_leave_out([[A, B, C]], known) == {A}


def test_a_layer_that_one_of_two_images_needs_is_sent() -> None:
    known = frozenset(chain_ids([A, B]))
    assert images.layers_to_leave_out([[A, B], [C, B]], known) == {A}


def test_all_is_sent_to_a_grid_that_has_nothing() -> None:
    assert images.layers_to_leave_out([[A, B]], frozenset()) == frozenset()


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("busybox", "busybox:latest"),
        ("busybox:1", "busybox:1"),
        ("docker.io/library/busybox", "busybox:latest"),
        ("docker.io/grafana/grafana:9", "grafana/grafana:9"),
        ("registry.example.org:5000/shop", "registry.example.org:5000/shop:latest"),
        ("registry.example.org:5000/shop:2", "registry.example.org:5000/shop:2"),
        (f"busybox@{A}", f"busybox@{A}"),
    ],
)
def test_references_as_the_engine_shows_them(reference: str, shown: str) -> None:
    assert images.familiar(reference) == shown


@pytest.mark.parametrize(("reference", "can"), [("shop:1", True), (f"shop@{A}", False), (A, False), (A[7:19], False)])
def test_some_references_cannot_be_given(reference: str, can: bool) -> None:
    assert images.can_be_given(reference) is can
