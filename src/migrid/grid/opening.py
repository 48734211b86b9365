"""The engine that a grid's configuration asks for."""

from __future__ import annotations

from .engine import Engine
from .state import State


def open_engine(state: State) -> Engine:
    """The engine beside this state. Raises GridError when the host is no grid."""
    configuration = state.configuration()
    if configuration.engine == "model":
        from .model_engine import ModelEngine

        return ModelEngine(state.root / "engine")
    from .docker_engine import DockerEngine

    return DockerEngine(configuration.helper_image, state.root)
