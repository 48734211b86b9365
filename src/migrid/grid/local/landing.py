"""What a move makes of an application on its target, and takes away again if it has to.

It is written down before it is made, and nothing else is ever removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..application import Application, Definition, Image, Port, TreeKind
from ..compose import description as compose
from ..compose import properties
from ..docker.images import familiar
from ..engine import Engine
from ..errors import EngineError, GridError, LockedError, RightError
from ..sides import Action, Lock, Right
from ..state import Record, RightRecord, State, read_json, write_json
from . import arrival, describing
from .arrival import Arrival
from .forwarding import Forwarder
from .holding import Hold


class Landing:
    """The arrivals on one grid. The caller holds the application's exclusive lock."""

    def __init__(self, engine: Engine, state: State, forwarder: Forwarder, hold: Hold) -> None:
        self._engine = engine
        self._state = state
        self._forwarder = forwarder
        self._hold = hold

    def check_free(self, app: str, lock: Lock) -> None:
        """Raises LockedError unless the name is the move's, nobody's, or of an application that moved away."""
        record, held = self._state.record(app), self._state.lock(app)
        if self.is_arriving(app, lock.move):
            return
        if record and not (held and held.move != lock.move and record.arrived_by == held.move):
            raise LockedError(f"There is an application {app} on this grid already; choose another target_app.")
        if record is None and app in self._engine.projects():
            raise LockedError(f"There is a Compose project {app} on this grid already; choose another target_app.")

    def is_arriving(self, app: str, move: str) -> bool:
        """Whether the move has brought the application and not yet settled it."""
        record = self._state.record(app)
        return record is not None and record.arrived_by == move and not record.settled

    def record(self, app: str, move: str) -> Record:
        """The record that the move made. Raises RightError."""
        record = self._state.record(app)
        if record is None or not self.is_arriving(app, move):
            raise RightError(f"{app} did not arrive by move {move}; it has no right to run here.")
        return record

    def arrival(self, app: str, move: str) -> Arrival:
        """What `provision` wrote down. Raises GridError."""
        arriving = self._arrival(move)
        if arriving is None:
            raise GridError(f"{app} was not provisioned for move {move}.")
        return arriving

    def expect_images(self, move: str, images: Sequence[Image]) -> None:
        """Write down that these images come for the move."""
        path = self._images_file(move)
        write_json(path, [*(read_json(list[str], path) or []), *(image.id for image in images)])

    def name_images(self, images: Sequence[Image]) -> None:
        """Let references name the images that came, where they do not name others here already."""
        taken = self._engine.references()
        for image in images:
            if familiar(image.reference) not in taken:
                self._engine.tag_image(image.id, image.reference)

    def make(self, application: Application, lock: Lock) -> None:
        """Make the record, and the trees, empty."""
        arriving = self._arrival(lock.move) or self._new_arrival(application, lock)
        self.name_images(application.images)
        self.write_record(arriving)
        self._make_trees(arriving)

    def write_record(self, arriving: Arrival) -> None:
        """The record, and the properties and the override that it names."""
        app, application, state = arriving.lock.target_app_name, arriving.application, self._state
        here = properties.here(application.app_config, state.configuration().app_config.get(app, {}))
        properties.write(state.properties_file(app), properties.effective(application.properties, here))
        override = compose.override(application, app, arriving.trees, self._engine.references())
        write_json(state.override_file(app), override)
        state.write_record(
            Record(
                name=app,
                managed=True,
                definition=self._definition(arriving),
                properties=application.properties,
                arrived_by=arriving.lock.move,
                settled=False,
                stopped=arriving.lock.action is Action.SNAPSHOT or not application.running,
                replaced=self._replaced(app),
                owner=application.owner,
                app_config=application.app_config,
            )
        )

    def remember_forwards(self, app: str, move: str) -> None:
        """Write down what is forwarded for the application that comes back."""
        forwards = self._forwarder.forwards(app)
        if forwards:
            write_json(self._arrival_file(move), replace(self.arrival(app, move), forwards=forwards))

    def expect_ports(self, arriving: Arrival, ports: tuple[Port, ...]) -> None:
        """Write down at which ports the application will answer."""
        write_json(self._arrival_file(arriving.lock.move), replace(arriving, ports=ports))

    def restore_marker(self, app: str) -> None:
        """Let the right be as it was before the application arrived."""
        record = self._state.record(app)
        if record and record.replaced:
            self._state.write_right(app, record.replaced)
        else:
            self._state.clear_right(app)

    def remove(self, app: str, move: str) -> None:
        """Remove all of it. The record and the lock go last: whoever finds them knows that there is more to remove."""
        if self.is_arriving(app, move):
            if self._state.right(app).right is Right.HERE and describing.is_running(self._engine, app):
                raise RightError(f"{app} runs here; move {move} must halt it before it is removed.")
            self._engine.remove(app)
            self._hold.end(app)
        self._engine.remove_mover(move)
        self._remove_trees(self._arrival(move))
        self._engine.remove_images(read_json(list[str], self._images_file(move)) or [])
        self._forward_again(app, self._arrival(move))
        self._forget_application(app, move)
        self.forget_move(move)

    def forget_move(self, move: str) -> None:
        """Remove what only the move needed; its journal, log and report stay."""
        self._engine.remove_mover(move)
        shutil.rmtree(self._state.move_directory(move) / "trees", ignore_errors=True)
        for path in (self._arrival_file(move), self._images_file(move)):
            path.unlink(missing_ok=True)

    def _new_arrival(self, application: Application, lock: Lock) -> Arrival:
        """Write down what will be made. A volume that is there already is somebody else's."""
        trees = compose.arriving(application, lock.target_app_name, self._state.project_directory(lock.target_app_name))
        present = set(self._engine.volume_names())
        for tree in trees:
            if tree.kind is TreeKind.VOLUME and tree.location in present:
                raise EngineError(f"There is a volume {tree.location} on this grid already; nothing may overwrite it.")
        arriving = Arrival(lock, application, trees, tuple(tree.name for tree in trees))
        write_json(self._arrival_file(lock.move), arriving)
        return arriving

    def _make_trees(self, arriving: Arrival) -> None:
        """A volume that is there and could not be made is somebody else's, and must not be removed with the rest."""
        for tree in arriving.trees:
            try:
                self._engine.make_tree(tree)
            except EngineError:
                if tree.location in self._engine.volume_names():
                    made = tuple(name for name in arriving.made if name != tree.name)
                    write_json(self._arrival_file(arriving.lock.move), replace(arriving, made=made))
                raise

    def _remove_trees(self, arriving: Arrival | None) -> None:
        for tree in arriving.trees if arriving else ():
            if arriving and tree.name in arriving.made:
                self._engine.remove_tree(tree)

    def _forward_again(self, app: str, arriving: Arrival | None) -> None:
        if arriving and arriving.forwards:
            self._forwarder.start(app, arriving.forwards)

    def _definition(self, arriving: Arrival) -> Definition:
        """With an environment file that came with the project, if Compose found it by itself before."""
        app, state = arriving.lock.target_app_name, self._state
        project, environment = state.project_directory(app), state.properties_file(app)
        source = arriving.application.definition
        found = compose.relocated(source, app, project, state.override_file(app), environment)
        implicit = project / ".env"
        if len(found.env_files) == 1 and implicit.is_file():
            return replace(found, env_files=(implicit, *found.env_files))
        return found

    def _replaced(self, app: str) -> RightRecord | None:
        """The marker that stood here before the application arrived."""
        record, right = self._state.record(app), self._state.right(app)
        if record:
            return record.replaced
        return right if right.right is Right.GONE else None

    def _forget_application(self, app: str, move: str) -> None:
        if self.is_arriving(app, move):
            self.restore_marker(app)
            self._state.leave_marker(app)
        lock = self._state.lock(app)
        if lock and lock.move == move:
            self._state.clear_lock(app)
        self._state.tidy(app)

    def _arrival(self, move: str) -> Arrival | None:
        return read_json(Arrival, self._arrival_file(move))

    def _arrival_file(self, move: str) -> Path:
        return self._state.move_directory(move) / arrival.FILE

    def _images_file(self, move: str) -> Path:
        return self._state.move_directory(move) / "images.json"
