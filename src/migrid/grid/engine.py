"""The seam to a container engine: all that a grid needs of one.

There are two: `docker.engine.DockerEngine`, and `model.engine.ModelEngine`, which has real files and no containers and
is what the fault tests run on. The contract leaves room for a Swarm: nobody outside of an engine may assume that a
volume lives on this host (files are reached through a mover that the engine places), or that a service has one
container.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from .application import Container, Definition, Image, Tree
from .volumes.client import Mover


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is and has. Sizes are in bytes.

    `layers` are the chain identifiers of all image layers: an image's layer need not be sent if the chain up to it is
    here. `published` are the host ports in use, as (address, port, protocol, who). `subnets` are those of all networks,
    with the network's name. `keeps_layers` tells whether an archive may leave out layers that are here.
    """

    version: str
    api_version: str
    compose_version: str
    architecture: str
    os: str
    storage_driver: str
    free_bytes: int
    memory_bytes: int
    copy_on_write: bool
    keeps_layers: bool
    layers: tuple[str, ...] = ()
    published: tuple[tuple[str, int, str, str], ...] = ()
    subnets: Mapping[str, str] = field(default_factory=dict)
    container_names: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """A container engine. Every method is idempotent and raises EngineError when the engine refuses or is away."""

    def info(self) -> EngineInfo:
        """What the engine is and has now."""

    def references(self) -> Mapping[str, str]:
        """What each reference of an image names here, by id."""

    def volume_names(self) -> tuple[str, ...]:
        """The names of all volumes that are here."""

    def free_bytes(self) -> int:
        """What is free where the engine keeps volumes."""

    def projects(self) -> Mapping[str, Definition]:
        """The definitions of all Compose projects that have containers, from the labels of these."""

    def resolve(self, definition: Definition) -> Mapping[str, object]:
        """What Compose makes of the definition. Raises DefinitionError with Compose's own words."""

    def containers(self, project: str) -> tuple[Container, ...]:
        """The containers of a project, running or not, in the order of service and number."""

    def trees(self, definition: Definition, model: Mapping[str, object]) -> tuple[Tree, ...]:
        """The volumes of the project as `location` names them here, anonymous ones too, and its project directory."""

    def images(self, containers: Iterable[Container]) -> tuple[Image, ...]:
        """The images that the containers run."""

    def start(self, definition: Definition) -> None:
        """Create what is missing of the project's networks and containers, and start them, without building, pulling
        or making a container anew. Returns when Compose does, which is not yet healthy."""

    def build(self, definition: Definition) -> None:
        """Build the images of the services that say how, and pull those of the others that are not here. Raises
        EngineError with the end of the output."""

    def apply(self, definition: Definition, anew: Collection[str] = ()) -> None:
        """Start the project as its definition is now: containers that differ from it are made anew, those of services
        that it no longer has are removed. Otherwise like `start`. Services in `anew` are made anew in any case,
        because a file that they read when they start has changed."""

    def stop(self, project: str, timeout: float | None) -> None:
        """Stop all containers; `timeout` seconds until SIGKILL, None for each container's own."""

    def kill(self, project: str) -> None:
        """Stop all containers at once."""

    def set_restart_policies(self, policies: Mapping[str, str]) -> None:
        """Give containers, by id, a restart policy, in the engine's words. It holds through engine restarts."""

    def remove(self, project: str) -> None:
        """Remove the containers and networks of the project; no volume that has a name."""

    def make_tree(self, tree: Tree) -> None:
        """Make an empty volume or directory. Raises EngineError if a volume of that name is there already that was not
        made for the same application."""

    def remove_tree(self, tree: Tree) -> None:
        """Remove a volume or directory with all that is in it; what is not there is no error."""

    def run(self, container: str, command: Sequence[str], environment: Mapping[str, str], timeout: float) -> None:
        """Run a command in a container. Raises HookError with the end of its output."""

    def save_images(self, images: Sequence[str], known_layers: frozenset[str], stream: BinaryIO) -> None:
        """Write an archive of images, by id and reference, without the layers whose chain identifiers are known."""

    def load_images(self, stream: BinaryIO) -> None:
        """Take in such an archive."""

    def tag_image(self, image: str, reference: str) -> None:
        """Let the reference name the image with this id."""

    def remove_images(self, images: Sequence[str]) -> None:
        """Remove images by id, unless somebody uses them."""

    def mover(self, name: str, trees: Sequence[Tree], writable: bool) -> Mover:
        """A process beside the trees that sends or receives them, started if it does not run. `name` is the move's."""

    def movers(self) -> frozenset[str]:
        """The names of all movers, running or not."""

    def remove_mover(self, name: str) -> None:
        """End and remove the process, and the snapshots that it keeps."""
