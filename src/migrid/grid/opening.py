"""The engine that a grid's configuration asks for, and the sides of moves beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .docker.cli import DockerCli
from .engine import Engine
from .errors import UnknownError
from .forward import DockerForwarder
from .helpers import DockerHelpers, Helpers
from .hold import NftHold
from .local.forwarding import Forwarder
from .local.holding import Hold, NoHold
from .local.source import LocalSource
from .local.target import LocalTarget
from .monitors import DockerMonitors, Monitors
from .peers.channels import Way
from .peers.remote import RemoteSource
from .sides import Source
from .state import Peer, State


def open_engine(state: State) -> Engine:
    """The engine beside this state. Raises GridError when the host is no grid."""
    configuration = state.configuration()
    if configuration.engine == "model":
        from .model.engine import ModelEngine

        return ModelEngine(state.root / "engine")
    from .docker.engine import DockerEngine

    return DockerEngine(configuration.helper_image, state.root)


def open_forwarder(state: State) -> Forwarder:
    """What lets old addresses on this grid go on answering."""
    configuration = state.configuration()
    if configuration.engine == "model":
        from .model.forwarder import ModelForwarder

        return ModelForwarder(state.root / "forwards")
    return DockerForwarder(DockerCli(), configuration.helper_image)


def open_hold(state: State) -> Hold:
    """What keeps users away from applications that arrived on this grid and are not healthy yet."""
    return NoHold() if state.configuration().engine == "model" else NftHold()


def open_source(state: State) -> LocalSource:
    """This grid as the source of moves."""
    return LocalSource(open_engine(state), state, forwarder=open_forwarder(state))


def open_target(state: State) -> LocalTarget:
    """This grid as the target of moves."""
    return LocalTarget(open_engine(state), state, forwarder=open_forwarder(state), hold=open_hold(state))


def open_helpers(state: State) -> Helpers:
    """What keeps the drivers of moves to this grid running."""
    if state.configuration().engine == "model":
        from .model.helpers import ModelHelpers

        return ModelHelpers(state)
    return DockerHelpers(DockerCli(), state)


def open_monitors(state: State) -> Monitors:
    """What lets monitors of moves to this grid answer."""
    if state.configuration().engine == "model":
        from .model.monitors import ModelMonitors

        return ModelMonitors(state)
    return DockerMonitors(DockerCli(), state)


def peer_of(state: State, grid: str) -> Peer:
    """How another grid is reached. Raises UnknownError when it is no peer of this one."""
    configuration = state.configuration()
    if grid not in configuration.peers:
        known = ", ".join(sorted(configuration.peers)) or "none"
        raise UnknownError(
            f"Grid {configuration.name} has no way to grid {grid!r}; its peers are: {known}."
            " playbooks/grids.yml makes the grids of an inventory peers of each other."
        )
    return configuration.peers[grid]


@contextmanager
def remote_source(state: State, grid: str) -> Iterator[Source]:
    """Another grid as the source of moves to this one. That of a model is in a directory of this host."""
    peer = peer_of(state, grid)
    if state.configuration().engine == "model":
        there = Path(peer.address)
        yield open_source(State(there / "state", there / "etc"))
        return
    source = RemoteSource(Way(grid, peer, state.root / "ssh"))
    try:
        yield source
    finally:
        source.close()
