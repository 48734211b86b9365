"""What a model engine has, as records in one file, so that it is all there when the engine starts again."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from .. import records
from ..application import Container, Definition, Image
from ..errors import EngineError


@dataclass(frozen=True)
class Volume:
    """A volume of a model engine; its files are in a directory of its name."""

    name: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Member:
    """A container and the project that it belongs to. One that was `stopped` by its operator is not brought back by
    the policy unless-stopped."""

    project: str
    container: Container
    stopped: bool = False


@dataclass(frozen=True)
class Content:
    """All that a model engine has. `references` are those of images, with their ids."""

    definitions: Mapping[str, Definition] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


def load(path: Path) -> Content:
    """The content of a file; an engine that never ran has none."""
    return records.from_data(Content, json.loads(path.read_text())) if path.exists() else Content()


def save(path: Path, content: Content) -> None:
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(records.to_data(content)))
    staged.replace(path)


def new_container(project: str, service: str, image: Image, settings: Mapping[str, object]) -> Member:
    """A container of a service, made and not started. No other has its id, on any grid."""
    return Member(
        project,
        Container(
            id=secrets.token_hex(32),
            name=str(settings.get("container_name") or f"{project}-{service}-1"),
            service=service,
            number=1,
            image_id=image.id,
            image=image.reference,
            state="created",
            restart_policy=str(settings.get("restart") or "no"),
        ),
    )


def comes_back(member: Member) -> bool:
    """Whether an engine that starts brings the container back, as Docker does: `always` even if it was stopped."""
    policy, was_running = member.container.restart_policy.partition(":")[0], member.container.running
    return (
        policy == "always"
        or (policy == "unless-stopped" and not member.stopped)
        or (policy == "on-failure" and was_running)
    )


def changed(member: Member, **changes: object) -> Member:
    return replace(member, container=replace(member.container, **changes))  # type: ignore[arg-type]


def write_images(stream: BinaryIO, images: Sequence[Image]) -> None:
    """An archive of images."""
    stream.write(json.dumps(records.to_data(list(images))).encode() + b"\n")


def read_images(stream: BinaryIO) -> tuple[Image, ...]:
    """The images of an archive. Raises EngineError when it was cut off."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EngineError("The archive of images is not complete.")
    return records.from_data(tuple[Image, ...], json.loads(line))
