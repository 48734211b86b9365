"""Whether a grid is ready for moves: its engine, its helper image, its guard, and the ways to and from its peers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from .application import Finding, Level
from .engine import Engine
from .errors import GridError
from .peers.channels import Way
from .peers.remote import RemoteSource
from .state import Peer, State

GUARD = "mig_grid_guard.service"
RUN_GRIDS = "Run playbooks/grids.yml."


def findings(state: State, engine: Engine) -> Iterator[Finding]:
    """Every check of this grid with what was found. Raises GridError when the host is no grid."""
    configuration = state.configuration()
    try:
        info = engine.info()
    except GridError as error:
        yield Finding("engine", Level.BLOCKS, str(error))
        return
    yield Finding("engine", Level.OK, f"engine {info.version}, Compose {info.compose_version}, {info.storage_driver}")
    yield _image(configuration.helper_image, info.images)
    yield _guard()
    for name, peer in sorted(configuration.peers.items()):
        yield _peer(state, name, peer)


def _image(image: str, present: object) -> Finding:
    if isinstance(present, dict) and image in present:
        return Finding("helper_image", Level.OK, image)
    return Finding("helper_image", Level.BLOCKS, f"The image {image or 'of MigHelper'} is not here.", RUN_GRIDS)


def _guard() -> Finding:
    done = subprocess.run(["systemctl", "is-active", GUARD], capture_output=True, text=True, check=False)  # noqa: S607
    if done.stdout.strip() == "active":
        return Finding("guard", Level.OK, "runs")
    state = done.stdout.strip() or "unknown"
    return Finding("guard", Level.BLOCKS, f"{GUARD} is {state}.", f"See `systemctl status {GUARD}`.")


def _peer(state: State, name: str, peer: Peer) -> Finding:
    here = state.configuration()
    source = RemoteSource(Way(name, peer, state.root / "ssh"))
    try:
        facts = source.facts()
        back = source.reaches(here.name)
    except GridError as error:
        return Finding(f"peer {name}", Level.BLOCKS, str(error))
    finally:
        source.close()
    if back:
        return Finding(f"peer {name}", Level.WARNS, f"It cannot reach this grid: {back}", "Look at the firewalls.")
    return Finding(f"peer {name}", Level.OK, f"answers at {peer.address}, release {facts.release}")
