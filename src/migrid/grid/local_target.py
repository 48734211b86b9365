"""The grid at which an application arrives, beside its engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from . import arrival, compose, describing, hooks, properties
from .application import Application, Container, Definition, Finding, HookPoint, Image, Level, Port, Tree, TreeKind
from .arrival import Arrival
from .clock import Clock, SystemClock
from .compose_wishes import wishes
from .engine import Engine, EngineInfo
from .errors import BlockedError, DefinitionError, EngineError, GridError, LockedError, RightError
from .forwarding import Forwarder, NoForwarder
from .locking import check_lock, take_lock
from .probing import ask
from .sides import Action, Facts, Forward, Lock, Right
from .state import Record, RightRecord, State, read_json, write_json
from .target_findings import findings
from .volumes.client import Channel, Session, Survey


class LocalTarget:
    """`sides.Target` on this grid. Whatever a move makes is written down before it is made."""

    def __init__(
        self, engine: Engine, state: State, clock: Clock | None = None, forwarder: Forwarder | None = None
    ) -> None:
        self._engine = engine
        self._state = state
        self._clock: Clock = clock or SystemClock()
        self._forwarder: Forwarder = forwarder or NoForwarder()

    def facts(self) -> Facts:
        return describing.facts(self._engine, self._state, self._clock)

    def findings(self, application: Application, target_app: str) -> tuple[Finding, ...]:
        return findings(self._engine.info(), self._state, application, target_app)

    def lock(self, lock: Lock) -> None:
        app = lock.target_app_name
        with self._state.exclusive(app):
            held = self._state.lock(app)
            self._check_free(app, lock)
            if take_lock(self._state, app, lock) and held:
                self._remove(app, held.move)
                self._state.write_lock(app, lock)

    def missing_images(self, images: Sequence[Image]) -> tuple[Image, ...]:
        present = set(self._engine.info().images.values())
        return tuple(image for image in images if image.id not in present)

    def load_images(self, move: str, images: Sequence[Image], channel: Channel) -> None:
        ids = [image.id for image in self.missing_images(images)]
        path = self._images_file(move)
        write_json(path, [*(read_json(list[str], path) or []), *ids])
        with os.fdopen(os.dup(channel.reader), "rb") as stream:
            self._engine.load_images(stream)
        self._name_images(images)

    def survey(self, move: str, trees: Sequence[Tree], channel: Channel) -> Survey:
        """A session needs trees of the same names; empty ones will do."""
        directory = self._state.move_directory(move) / "survey"
        places = [Tree(tree.name, TreeKind.DIRECTORY, str(directory / "trees" / tree.name)) for tree in trees]
        try:
            for place in places:
                self._engine.make_tree(place)
            session = self._engine.mover(move, places, writable=True).receive(channel, directory / "state")
            try:
                return session.survey()
            finally:
                session.close()
        finally:
            self._engine.remove_mover(move)
            shutil.rmtree(directory, ignore_errors=True)

    def provision(self, application: Application, lock: Lock) -> None:
        app = lock.target_app_name
        with self._state.exclusive(app):
            check_lock(self._state, app, lock.move)
            self._check_free(app, lock)
            arriving = self._arrival(lock.move) or self._new_arrival(application, lock)
            self._name_images(application.images)
            self._write_record(arriving)
            self._make_trees(arriving)

    def receive(self, app: str, move: str, channel: Channel) -> Session:
        check_lock(self._state, app, move)
        trees = self._must_arrive(app, move).trees
        mover = self._engine.mover(move, trees, writable=True)
        return mover.receive(channel, self._state.move_directory(move) / "trees")

    def rehearse(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            arriving = self._must_arrive(app, move)
            self._write_record(arriving)
            model = self._engine.resolve(self._record(app, move).definition)
            _check_volumes(arriving, model)
            _check_images(arriving, self._engine.info())
            if arriving.lock.action is Action.MIGRATE:
                self._check_ports(arriving, model)

    def start(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = check_lock(self._state, app, move)
            record = self._record(app, move)
            if lock.action is not Action.MIGRATE:
                raise RightError(f"{app} is a copy: a snapshot never starts it.")
            self._remember_forwards(app, move)
            self._state.write_right(app, RightRecord(Right.HERE, move))
            self._forwarder.end(app)
            self._engine.start(record.definition)

    def containers(self, app: str) -> tuple[Container, ...]:
        return self._engine.containers(app)

    def probe(self, app: str) -> None:
        model = self._engine.resolve(describing.definition(self._engine, self._state, app))
        wanted = wishes(model).probe
        if wanted:
            ask(wanted, self._engine.containers(app))

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None:
        check_lock(self._state, app, move)
        hooks.run(self._engine, describing.describe(self._engine, self._state, app), point, environment)

    def forwards(self, app: str, source_ports: Sequence[Port]) -> tuple[Forward, ...]:
        here = [port for container in self._engine.containers(app) for port in container.ports]
        return arrival.forwards(source_ports, here, self._state.configuration().address)

    def halt(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            if not self._is_arriving(app, move):
                return
            containers = self._engine.containers(app)
            self._engine.set_restart_policies({container.id: "no" for container in containers})
            self._engine.kill(app)
            if describing.is_running(self._engine, app):
                raise EngineError(f"{app} still runs after it was told to stop.")
            self._restore_marker(app)

    def remove(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = self._state.lock(app)
            if lock is None or lock.move == move:
                self._remove(app, move)
            else:
                self._forget_move(move)

    def settle(self, app: str, move: str, seconds: Mapping[str, float]) -> None:
        with self._state.exclusive(app):
            record = self._state.record(app)
            if record and record.arrived_by == move and not record.settled:
                self._state.clear_right(app)
                self._state.write_seconds(app, {**self._state.seconds(app), **seconds})
                self._state.write_record(replace(record, settled=True, replaced=None))
            self._forget_move(move)
            lock = self._state.lock(app)
            if lock and lock.move == move:
                self._state.clear_lock(app)

    def _check_free(self, app: str, lock: Lock) -> None:
        """The name must be nobody's, except the move's own or that of an application that moved away."""
        record = self._state.record(app)
        if record and record.arrived_by == lock.move and not record.settled:
            return
        held = self._state.lock(app)
        if record and not (held and held.move != lock.move and record.arrived_by == held.move):
            raise LockedError(f"There is an application {app} on this grid already; choose another target_app.")
        if record is None and app in self._engine.projects():
            raise LockedError(f"There is a Compose project {app} on this grid already; choose another target_app.")

    def _new_arrival(self, application: Application, lock: Lock) -> Arrival:
        """Write down what will be made. A volume that is there already is somebody else's."""
        trees = compose.arriving(application, lock.target_app_name, self._state.project_directory(lock.target_app_name))
        present = set(self._engine.info().volumes)
        for tree in trees:
            if tree.kind is TreeKind.VOLUME and tree.location in present:
                raise EngineError(f"There is a volume {tree.location} on this grid already; nothing may overwrite it.")
        arriving = Arrival(lock, application, trees, tuple(tree.name for tree in trees))
        write_json(self._arrival_file(lock.move), arriving)
        return arriving

    def _make_trees(self, arriving: Arrival) -> None:
        """What could not be made is somebody else's, and must not be removed with the rest."""
        for tree in arriving.trees:
            try:
                self._engine.make_tree(tree)
            except EngineError:
                made = tuple(name for name in arriving.made if name != tree.name)
                write_json(self._arrival_file(arriving.lock.move), replace(arriving, made=made))
                raise

    def _write_record(self, arriving: Arrival) -> None:
        """The record, with an environment file that came with the project and Compose would have found by itself."""
        app, application = arriving.lock.target_app_name, arriving.application
        before = self._state.record(app)
        marker = self._state.right(app)
        here = self._state.configuration().app_config.get(app, {})
        properties.write(self._state.properties_file(app), properties.effective(application.properties, here))
        override = compose.override(application, app, arriving.trees, self._engine.info().images)
        write_json(self._state.override_file(app), override)
        self._state.write_record(
            Record(
                name=app,
                managed=True,
                definition=self._definition(arriving),
                properties=application.properties,
                arrived_by=arriving.lock.move,
                settled=False,
                stopped=arriving.lock.action is Action.SNAPSHOT or not application.running,
                replaced=before.replaced if before else (marker if marker.right is Right.GONE else None),
            )
        )

    def _definition(self, arriving: Arrival) -> Definition:
        app, state = arriving.lock.target_app_name, self._state
        project, environment = state.project_directory(app), state.properties_file(app)
        source = arriving.application.definition
        found = compose.relocated(source, app, project, state.override_file(app), environment)
        implicit = project / ".env"
        if len(found.env_files) == 1 and implicit.is_file():
            return replace(found, env_files=(implicit, *found.env_files))
        return found

    def _name_images(self, images: Sequence[Image]) -> None:
        """Let references name the images that came, where they do not name others here already."""
        taken = self._engine.info().images
        for image in images:
            if image.reference not in taken:
                self._engine.tag_image(image.id, image.reference)

    def _check_ports(self, arriving: Arrival, model: Mapping[str, object]) -> None:
        app = arriving.lock.target_app_name
        found = arrival.port_findings(arrival.published(model), self._engine.info(), app)
        if found:
            raise BlockedError(found)

    def _remember_forwards(self, app: str, move: str) -> None:
        forwards = self._forwarder.forwards(app)
        if forwards:
            write_json(self._arrival_file(move), replace(self._must_arrive(app, move), forwards=forwards))

    def _remove(self, app: str, move: str) -> None:
        """The record and the lock go last: whoever finds them knows that there is more to remove."""
        if self._is_arriving(app, move):
            if self._state.right(app).right is Right.HERE and describing.is_running(self._engine, app):
                raise RightError(f"{app} runs here; move {move} must halt it before it is removed.")
            self._engine.remove(app)
        self._engine.remove_mover(move)
        arriving = self._arrival(move)
        for tree in arriving.trees if arriving else ():
            if arriving and tree.name in arriving.made:
                self._engine.remove_tree(tree)
        self._engine.remove_images(read_json(list[str], self._images_file(move)) or [])
        if arriving and arriving.forwards:
            self._forwarder.start(app, arriving.forwards)
        self._forget_application(app, move)
        self._forget_move(move)

    def _forget_application(self, app: str, move: str) -> None:
        if self._is_arriving(app, move):
            self._restore_marker(app)
            self._state.leave_marker(app)
        lock = self._state.lock(app)
        if lock and lock.move == move:
            self._state.clear_lock(app)
        self._state.tidy(app)

    def _forget_move(self, move: str) -> None:
        self._engine.remove_mover(move)
        directory = self._state.move_directory(move)
        shutil.rmtree(directory / "trees", ignore_errors=True)
        for path in (self._arrival_file(move), self._images_file(move)):
            path.unlink(missing_ok=True)

    def _restore_marker(self, app: str) -> None:
        record = self._state.record(app)
        if record and record.replaced:
            self._state.write_right(app, record.replaced)
        else:
            self._state.clear_right(app)

    def _is_arriving(self, app: str, move: str) -> bool:
        record = self._state.record(app)
        return record is not None and record.arrived_by == move and not record.settled

    def _record(self, app: str, move: str) -> Record:
        record = self._state.record(app)
        if record is None or record.arrived_by != move or record.settled:
            raise RightError(f"{app} did not arrive by move {move}; it has no right to run here.")
        return record

    def _must_arrive(self, app: str, move: str) -> Arrival:
        arriving = self._arrival(move)
        if arriving is None:
            raise GridError(f"{app} was not provisioned for move {move}.")
        return arriving

    def _arrival(self, move: str) -> Arrival | None:
        return read_json(Arrival, self._arrival_file(move))

    def _arrival_file(self, move: str) -> Path:
        return self._state.move_directory(move) / arrival.FILE

    def _images_file(self, move: str) -> Path:
        return self._state.move_directory(move) / "images.json"


def _check_volumes(arriving: Arrival, model: Mapping[str, object]) -> None:
    """Compose must look for each volume where it arrived."""
    declared = model.get("volumes")
    for tree in arriving.trees:
        wanted = declared.get(tree.name) if isinstance(declared, Mapping) else None
        if tree.kind is TreeKind.VOLUME and wanted and wanted.get("name") != tree.location:
            raise DefinitionError(
                f"Volume {tree.name} arrived as {tree.location}, but with the properties of this grid the Compose file"
                f" calls it {wanted.get('name')}. Take the property that its name comes from out of app_config."
            )


def _check_images(arriving: Arrival, info: EngineInfo) -> None:
    """Somebody may have removed what was brought."""
    missing = [image.reference for image in arriving.application.images if image.reference not in info.images]
    if missing:
        raise BlockedError(
            [
                Finding(
                    "images",
                    Level.BLOCKS,
                    f"{', '.join(missing)} came to this grid and is not here any more.",
                    "Start the move again.",
                )
            ]
        )
