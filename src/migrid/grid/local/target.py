"""The grid at which an application arrives, beside its engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..application import Application, Container, Finding, HookPoint, Image, Port, Tree, TreeKind
from ..at_once import at_once
from ..clock import Clock, SystemClock
from ..compose.wishes import wishes
from ..engine import Engine, EngineInfo
from ..errors import BlockedError, EngineError, RightError
from ..sides import Action, Facts, Forward, Lock, Right
from ..state import RightRecord, State
from ..volumes.client import Channel, Session, Survey
from . import arrival, describing, hooks
from .forwarding import Forwarder, NoForwarder
from .holding import Hold, NoHold
from .landing import Landing
from .locking import check_lock, take_lock
from .metering import metered
from .probing import ask
from .target_findings import findings


class LocalTarget:
    """`sides.Target` on this grid. Whatever a move makes is written down before it is made."""

    def __init__(
        self,
        engine: Engine,
        state: State,
        clock: Clock | None = None,
        forwarder: Forwarder | None = None,
        hold: Hold | None = None,
    ) -> None:
        self._engine = engine
        self._state = state
        self._clock: Clock = clock or SystemClock()
        self._forwarder: Forwarder = forwarder or NoForwarder()
        self._hold: Hold = hold or NoHold()
        self._landing = Landing(engine, state, self._forwarder, self._hold)

    def facts(self) -> Facts:
        return describing.facts(self._engine, self._state, self._clock)

    def free_bytes(self) -> int:
        return self._engine.free_bytes()

    def findings(self, engine: EngineInfo, application: Application, target_app: str) -> tuple[Finding, ...]:
        return findings(engine, self._state, application, target_app)

    def lock(self, lock: Lock) -> None:
        app = lock.target_app_name
        with self._state.exclusive(app):
            held = self._state.lock(app)
            self._landing.check_free(app, lock)
            if take_lock(self._state, app, lock) and held:
                self._landing.remove(app, held.move)
                self._state.write_lock(app, lock)

    def missing_images(self, images: Sequence[Image]) -> tuple[Image, ...]:
        present = set(self._engine.references().values())
        return tuple(image for image in images if image.id not in present)

    def load_images(
        self, move: str, images: Sequence[Image], channel: Channel, let_pass: Callable[[int], None]
    ) -> None:
        self._landing.expect_images(move, self.missing_images(images))
        with metered(os.dup(channel.reader), let_pass) as stream:
            self._engine.load_images(stream)
        self._landing.name_images(images)

    def survey(self, move: str, trees: Sequence[Tree], open_channel: Callable[[], Channel]) -> Survey:
        """A session needs trees of the same names; empty ones will do."""
        directory = self._state.move_directory(move) / "survey"
        places = [Tree(tree.name, TreeKind.DIRECTORY, str(directory / "trees" / tree.name)) for tree in trees]
        try:
            for place in places:
                self._engine.make_tree(place)
            session = self._session(move, places, open_channel, directory / "state")
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
            self._landing.check_free(app, lock)
            self._landing.make(application, lock)

    def receive(self, app: str, move: str, open_channel: Callable[[], Channel]) -> Session:
        check_lock(self._state, app, move)
        trees = self._landing.arrival(app, move).trees
        return self._session(move, trees, open_channel, self._state.move_directory(move) / "trees")

    def _session(self, move: str, trees: Sequence[Tree], open_channel: Callable[[], Channel], state: Path) -> Session:
        """The mover of the source starts, behind the channel, while the one beside these trees does."""
        ready: Any = at_once((partial(self._engine.mover, move, trees, writable=True), open_channel))
        mover, channel = ready
        session: Session = mover.receive(channel, state)
        return session

    def rehearse(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            arriving = self._landing.arrival(app, move)
            self._landing.write_record(arriving)
            model = self._engine.resolve(self._landing.record(app, move).definition)
            arrival.check_volumes(arriving, model)
            found = arrival.obstacles(arriving, model, self._engine.info())
            if found:
                raise BlockedError(found)
            ports = arrival.published(model)
            self._hold.check(app, ports)
            self._landing.expect_ports(arriving, ports)

    def start(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = check_lock(self._state, app, move)
            record = self._landing.record(app, move)
            if lock.action is not Action.MIGRATE:
                raise RightError(f"{app} is a copy: a snapshot never starts it.")
            self._landing.remember_forwards(app, move)
            self._state.write_right(app, RightRecord(Right.HERE, move))
            self._hold.put(app, self._landing.arrival(app, move).ports)
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
        hooks.run(self._engine, describing.definition(self._engine, self._state, app), point, environment)

    def let_in(self, app: str, move: str) -> None:
        check_lock(self._state, app, move)
        self._hold.end(app)

    def forwards(self, app: str, source_ports: Sequence[Port]) -> tuple[Forward, ...]:
        here = [port for container in self._engine.containers(app) for port in container.ports]
        return arrival.forwards(source_ports, here, self._state.configuration().address)

    def halt(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            if not self._landing.is_arriving(app, move):
                return
            containers = self._engine.containers(app)
            self._engine.set_restart_policies({container.id: "no" for container in containers})
            self._engine.kill(app)
            if describing.is_running(self._engine, app):
                raise EngineError(f"{app} still runs after it was told to stop.")
            self._landing.restore_marker(app)

    def remove(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = self._state.lock(app)
            if lock is None or lock.move == move:
                self._landing.remove(app, move)
            else:
                self._landing.forget_move(move)

    def settle(self, app: str, move: str, seconds: Mapping[str, float]) -> None:
        with self._state.exclusive(app):
            record = self._state.record(app)
            if record and self._landing.is_arriving(app, move):
                self._hold.end(app)
                self._state.clear_right(app)
                self._state.write_seconds(app, seconds)
                self._state.write_record(replace(record, settled=True, replaced=None))
            self._landing.forget_move(move)
            lock = self._state.lock(app)
            if lock and lock.move == move:
                self._state.clear_lock(app)
