"""Preflight: what must be in order before a move begins. Pure: facts of both grids in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from .. import units
from ..application import Application, Finding, Level
from ..local.arrival import port_findings
from ..sides import Action, Facts
from ..volumes.client import Survey
from .request import Request

CHECKS: Mapping[str, str] = {
    "state": "The application runs.",
    "grids": "Source and target are two grids.",
    "reachability": "Each grid reaches the other.",
    "lock": "No other move holds the application.",
    "name": "The name is free on the target.",
    "ports": "They are free on the target.",
    "disk": "There is space on the target.",
    "architecture": "It is the same on both grids.",
    "engine": "The target's is not older.",
    "compose": "The target's is not older.",
    "images": "All can go to the target as they are.",
    "volumes": "Their names are free on the target.",
    "container_names": "They are free on the target.",
    "subnets": "They are free on the target.",
    "networks": "They can be made on the target.",
    "bind_mounts": "All are within the project directory.",
    "secrets": "All travel with the project directory.",
    "stopping": "Every first process acts on the signal that stops it.",
    "properties": "The target gives it no others.",
    "clock": "Both grids have the same time.",
}
"""Every check, and what it means when it finds nothing."""

_OF_PROPERTIES = ("ports", "subnets", "container_names")
MARGIN = 1.1
SPARE_BYTES = 256 << 20
CLOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Known:
    """What preflight looks at. `skew` is how far the target's clock is ahead, in seconds; `survey` is None if nothing
    was counted; `missing_bytes` are those of images that the target lacks; `own_ports` the target answers for the
    application since it left from there. `unreached` says why the source cannot reach the target, if it cannot."""

    request: Request
    source: Facts
    target: Facts
    application: Application
    skew: float = 0.0
    survey: Survey | None = None
    missing_bytes: int = 0
    unreached: str = ""


def preflight(known: Known) -> tuple[Finding, ...]:
    """What both grids' facts say about the move; what only one of them can know is added by itself."""
    checks = (_state, _grids, _reachability, _name, _ports, disk, _architecture, _engine, _compose, _clock)
    return tuple(found for check in checks for found in check(known))


def with_other_properties(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings when the target gives the application other properties: only its own model, which is asked once the
    Compose files are there and before the stop, tells which ports, networks and names it will have."""
    return tuple(
        replace(
            item, level=Level.WARNS, remedy="The properties there may give it another; this is asked before the stop."
        )
        if item.check in _OF_PROPERTIES and item.level is Level.BLOCKS
        else item
        for item in found
    )


def _state(known: Known) -> Iterator[Finding]:
    if not known.application.running:
        yield Finding("state", Level.WARNS, "The application is stopped; it arrives stopped, too.")


def _grids(known: Known) -> Iterator[Finding]:
    for facts, wanted in ((known.source, known.request.source_grid), (known.target, known.request.target_grid)):
        if facts.grid != wanted:
            yield Finding(
                "grids",
                Level.BLOCKS,
                f"The grid that was asked as {wanted} says that it is {facts.grid}.",
                "Correct its address in the inventory and run playbooks/grids.yml.",
            )
    if known.source.grid == known.target.grid:
        yield Finding("grids", Level.BLOCKS, "Source and target are the same grid.", "Choose another target_grid.")


def _reachability(known: Known) -> Iterator[Finding]:
    if known.unreached:
        yield Finding(
            "reachability",
            Level.WARNS,
            f"{known.source.grid} cannot reach {known.target.grid} ({known.unreached}), so the old address will not go"
            " on answering.",
            "Let it connect to the target's published ports, if users are to come by the old address.",
        )


def _name(known: Known) -> Iterator[Finding]:
    if known.request.target_app in known.target.applications:
        yield Finding(
            "name",
            Level.BLOCKS,
            f"There is an application {known.request.target_app} on {known.target.grid} already.",
            "Choose another target_app, or destroy that one.",
        )


def _ports(known: Known) -> Iterator[Finding]:
    """A snapshot publishes nothing until somebody starts it."""
    for found in port_findings(known.application.ports, known.target.engine, known.request.target_app):
        if known.request.action is Action.SNAPSHOT:
            yield Finding(found.check, Level.WARNS, found.text, "The copy cannot be started before it is free.")
        else:
            yield found


def disk(known: Known) -> Iterator[Finding]:
    """Whether there is space for what was counted so far."""
    counted = known.survey.bytes if known.survey else 0
    wanted = (counted + known.missing_bytes) * MARGIN + SPARE_BYTES
    free = known.target.engine.free_bytes
    if wanted > free:
        yield Finding(
            "disk",
            Level.BLOCKS,
            f"{units.size(wanted)} are needed with a margin; {known.target.grid} has {units.size(free)} free.",
            "Make space there.",
        )


def _architecture(known: Known) -> Iterator[Finding]:
    source, target = known.source.engine, known.target.engine
    if (source.architecture, source.os) == (target.architecture, target.os):
        return
    for image in known.application.images:
        if (image.architecture.partition("/")[0], image.os) != (target.architecture, target.os):
            yield Finding(
                "architecture",
                Level.BLOCKS,
                f"{image.reference} is for {image.os}/{image.architecture}; {known.target.grid} is"
                f" {target.os}/{target.architecture}.",
                "Choose a grid of the same architecture, or build the image for that one.",
            )


def _engine(known: Known) -> Iterator[Finding]:
    source, target = known.source.engine, known.target.engine
    if _numbers(target.api_version) < _numbers(source.api_version):
        yield Finding(
            "engine",
            Level.WARNS,
            f"The engine of {known.target.grid} is older (API {target.api_version}) than that of {known.source.grid}"
            f" ({source.api_version}).",
        )


def _compose(known: Known) -> Iterator[Finding]:
    source, target = known.source.engine, known.target.engine
    if _numbers(target.compose_version)[:2] < _numbers(source.compose_version)[:2]:
        yield Finding(
            "compose",
            Level.WARNS,
            f"Compose of {known.target.grid} is older ({target.compose_version}) than that of {known.source.grid}"
            f" ({source.compose_version}); it is asked before the stop whether it can read the Compose file.",
        )


def _clock(known: Known) -> Iterator[Finding]:
    if abs(known.skew) > CLOCK_SECONDS:
        ahead = "ahead of" if known.skew > 0 else "behind"
        yield Finding(
            "clock",
            Level.WARNS,
            f"The clock of {known.target.grid} is {units.seconds(abs(known.skew))} {ahead} that of"
            f" {known.source.grid}. The move does not depend on it; the application may.",
            "Let both grids keep their time by NTP.",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0].partition("+")[0])[:3])
