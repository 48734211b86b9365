"""The engine that a grid's configuration asks for, and the sides of moves beside it."""

from __future__ import annotations

from .docker_cli import DockerCli
from .engine import Engine
from .forward import DockerForwarder
from .forwarding import Forwarder, NoForwarder
from .local import LocalSource, LocalTarget
from .state import State


def open_engine(state: State) -> Engine:
    """The engine beside this state. Raises GridError when the host is no grid."""
    configuration = state.configuration()
    if configuration.engine == "model":
        from .model_engine import ModelEngine

        return ModelEngine(state.root / "engine")
    from .docker_engine import DockerEngine

    return DockerEngine(configuration.helper_image, state.root)


def open_forwarder(state: State) -> Forwarder:
    """What lets old addresses on this grid go on answering."""
    configuration = state.configuration()
    if configuration.engine == "model":
        return NoForwarder()
    return DockerForwarder(DockerCli(), configuration.helper_image)


def open_source(state: State) -> LocalSource:
    """This grid as the source of moves."""
    return LocalSource(open_engine(state), state, forwarder=open_forwarder(state))


def open_target(state: State) -> LocalTarget:
    """This grid as the target of moves."""
    return LocalTarget(open_engine(state), state, forwarder=open_forwarder(state))
