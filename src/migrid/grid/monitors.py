"""Where the monitors of moves run: in containers of the helper image that see the directory of one move only."""

from __future__ import annotations

from typing import Protocol

from . import names
from .docker.cli import DockerCli
from .errors import EngineError
from .moves import monitored
from .state import State

MOVE_LABEL = "mig.monitor"
MODULE = "migrid.migctl.monitor"
PORT = 8443

_CONFINED = (
    *("--pull", "never", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),  # noqa: S108 -- in the container
    *("--security-opt", "no-new-privileges", "--memory", "128m", "--pids-limit", "100"),
)


class Monitors(Protocol):
    """What lets monitors answer on this grid. Every method is idempotent and raises EngineError."""

    def start(self, move: str, target_app: str) -> int:
        """Let a monitor of the move answer, in place of any other for this application; at which port of this grid."""

    def remove(self, target_app: str) -> None:
        """End the monitor for this application, if there is one."""


class DockerMonitors:
    """Containers of the helper image."""

    def __init__(self, cli: DockerCli, state: State) -> None:
        self._cli = cli
        self._state = state

    def start(self, move: str, target_app: str) -> int:
        name = container_name(target_app)
        if not self._runs(move, name):
            self.remove(target_app)
            monitored.make_room(self._state.move_directory(move))
            try:
                self._cli.run(*self._command(move, name))
            except BaseException:
                self.remove(target_app)
                raise
        return self._port(name)

    def remove(self, target_app: str) -> None:
        if self._cli.inspect("container", [container_name(target_app)]):
            self._cli.run("rm", "--force", container_name(target_app))

    def _runs(self, move: str, name: str) -> bool:
        found = self._cli.inspect("container", [name])
        return bool(found) and found[0]["State"]["Running"] and found[0]["Config"]["Labels"].get(MOVE_LABEL) == move

    def _port(self, name: str) -> int:
        [found] = self._cli.inspect("container", [name])
        published = found["NetworkSettings"]["Ports"].get(f"{PORT}/tcp")
        if not published:
            raise EngineError(f"{name} does not run; `docker logs {name}` says why.")
        return int(published[0]["HostPort"])

    def _command(self, move: str, name: str) -> list[str]:
        configuration, directory = self._state.configuration(), self._state.move_directory(move)
        own = directory / monitored.OWN
        return [
            *("run", "--detach", "--name", name, "--label", f"{MOVE_LABEL}={move}", "--restart", "on-failure"),
            *_CONFINED,
            *("--publish", f"{configuration.monitor_ports}:{PORT}"),
            *("--volume", f"{directory}:{directory}:ro", "--volume", f"{own}:{own}"),
            *(configuration.helper_image, "python3", "-m", MODULE, move),
            *("--state", str(self._state.root), "--port", str(PORT)),
        ]


def container_name(target_app: str) -> str:
    return f"MigMonitor_{names.application(target_app)}"
