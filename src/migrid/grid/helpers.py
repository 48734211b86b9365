"""Where the drivers of moves run: in containers of the helper image, which their engine starts again."""

from __future__ import annotations

from typing import Protocol

from . import names
from .docker.cli import DockerCli
from .docker.info import volumes_directory
from .errors import EngineError
from .monitors import DockerMonitors
from .state import State

MOVE_LABEL = "mig.helper"
MODULE = "migrid.grid.helper"

_SOCKET = "/var/run/docker.sock"
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER"),  # over projects, whose files belong to whom they belonged before
    "NET_ADMIN",  # to hold ports back
)


class Helpers(Protocol):
    """What keeps drivers of moves running on this grid. Every method is idempotent and raises EngineError."""

    def present(self) -> dict[str, bool]:
        """The moves that have a driver, and whether it runs."""

    def start(self, move: str, target_app: str) -> None:
        """Let a driver of the move run, in place of any other that brings this application."""

    def remove(self, target_app: str) -> None:
        """End the driver that brings this application, if there is one, and the monitor that it left."""


class DockerHelpers:
    """Containers of the helper image."""

    def __init__(self, cli: DockerCli, state: State) -> None:
        self._cli = cli
        self._state = state

    def present(self) -> dict[str, bool]:
        ids = self._cli.lines("ps", "--all", "--quiet", "--filter", f"label={MOVE_LABEL}")
        found = self._cli.inspect("container", ids)
        return {item["Config"]["Labels"][MOVE_LABEL]: bool(item["State"]["Running"]) for item in found}

    def start(self, move: str, target_app: str) -> None:
        name = container_name(target_app)
        found = self._cli.inspect("container", [name])
        if found and found[0]["State"]["Running"] and found[0]["Config"]["Labels"].get(MOVE_LABEL) == move:
            return
        self.remove(target_app)
        try:
            self._cli.run(*self._command(move, name))
        except BaseException:
            self.remove(target_app)
            raise

    def remove(self, target_app: str) -> None:
        DockerMonitors(self._cli, self._state).remove(target_app)
        if self._cli.inspect("container", [container_name(target_app)]):
            self._cli.run("rm", "--force", container_name(target_app))

    def _command(self, move: str, name: str) -> list[str]:
        image = self._state.configuration().helper_image
        if not image:
            raise EngineError(
                "This grid's configuration names no helper image; the playbook playbooks/grids.yml sets it."
            )
        return [
            *("run", "--detach", "--name", name, "--pull", "never", "--restart", "always", "--network", "host"),
            *("--label", f"{MOVE_LABEL}={move}", "--stop-timeout", "10"),
            *("--read-only", "--tmpfs", "/tmp", "--security-opt", "no-new-privileges"),  # noqa: S108 -- in the container
            *("--cap-drop", "ALL", *(word for name in _CAPABILITIES for word in ("--cap-add", name))),
            *self._mounts(),
            *(image, "python3", "-m", MODULE, move, "--state", str(self._state.root), "--etc", str(self._state.etc)),
        ]

    def _mounts(self) -> list[str]:
        """The same paths as on the host, because the engine and Compose are told about them. The configuration's
        directory is a link that changes, so the one that it is in is mounted. The engine's volumes are there to see
        how much is free."""
        volumes = volumes_directory(self._cli.json("info", "--format", "json"))
        read_only = dict.fromkeys((str(self._state.etc.parent), str(volumes)), ":ro")
        places = {_SOCKET: "", str(self._state.root): "", **read_only, "/run/migrid": ""}
        return [word for path, mode in places.items() for word in ("--volume", f"{path}:{path}{mode}")]


def container_name(target_app: str) -> str:
    return f"MigHelper_{names.application(target_app)}"
