"""The grid that an application leaves, beside its engine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import BinaryIO

from .. import names
from ..application import Application, HookPoint, Port, Tree
from ..clock import Clock, SystemClock
from ..compose.wishes import wishes
from ..engine import Engine
from ..errors import EngineError, GridError, HookError, LockedError, RightError
from ..peers.channels import pair
from ..sides import PLAN_LEASE, Facts, Forward, Lock, Right
from ..state import RightRecord, State, read_json, write_json
from ..volumes.client import Channel
from . import describing, hooks, probing, rights
from .forwarding import Forwarder, NoForwarder
from .locking import check_lock, has_lapsed, take_lock
from .owning import owner_of

_TREES = "trees_to_destroy.json"


class LocalSource:
    """`sides.Source` for the applications of this grid. Every verb of a move asks for the move's lock first."""

    def __init__(
        self, engine: Engine, state: State, clock: Clock | None = None, forwarder: Forwarder | None = None
    ) -> None:
        self._engine = engine
        self._state = state
        self._clock: Clock = clock or SystemClock()
        self._forwarder: Forwarder = forwarder or NoForwarder()

    def facts(self) -> Facts:
        return describing.facts(self._engine, self._state, self._clock)

    def describe(self, app: str) -> Application:
        _check_not_gone(app, self._state.right(app))
        return describing.describe(self._engine, self._state, app)

    def owner(self, app: str) -> str:
        return owner_of(self._state, app)

    def reaches(self, grid: str) -> str:
        peer = self._state.configuration().peers.get(grid)
        return probing.reach(peer.address, peer.ssh_port) if peer else f"{grid} is not among its peers"

    def seconds(self, app: str) -> Mapping[str, float]:
        return self._state.seconds(app)

    def lock(self, lock: Lock) -> None:
        app = lock.source_app_name
        if lock.lease:
            lock = replace(lock, since=self._clock.time())
        with self._state.exclusive(app):
            self._end_lapsed_plan(app)
            _check_not_gone(app, self._state.right(app))
            definition = describing.definition(self._engine, self._state, app)
            before = self._state.lock(app)
            if take_lock(self._state, app, lock) and before:
                self._take_back_from(app, before.move)
            if self._state.record(app) is None:
                self._state.write_record(describing.borrowed(app, definition))

    def images(self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str]) -> Channel:
        here, there = pair()

        def write() -> None:
            with suppress(OSError, GridError), os.fdopen(os.dup(there.writer), "wb") as stream:
                self.write_images(app, move, images, known_layers, stream)

        return _served(write, here, there)

    def write_images(
        self, app: str, move: str, images: Sequence[str], known_layers: frozenset[str], stream: BinaryIO
    ) -> None:
        """Write the archive of images to a stream."""
        check_lock(self._state, app, move)
        self._engine.save_images(images, known_layers, stream)

    def trees(self, app: str, move: str) -> Channel:
        here, there = pair()
        try:
            self.send_trees(app, move, there)
        except BaseException:
            here.close()
            raise
        finally:
            there.close()
        return here

    def send_trees(self, app: str, move: str, channel: Channel) -> Callable[[], None]:
        """Let a sender beside the trees serve the channel; what waits for its end."""
        check_lock(self._state, app, move)
        return self._engine.mover(move, self._trees(app), writable=False).send(channel)

    def run_hooks(self, app: str, move: str, point: HookPoint, environment: Mapping[str, str]) -> None:
        check_lock(self._state, app, move)
        hooks.run(self._engine, describing.definition(self._engine, self._state, app), point, environment)

    def stop(self, app: str, move: str, timeout: float | None, lease: float) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            if self._suspend(app, move, lease):
                began = self._clock.time()
                self._engine.stop(app, timeout)
                self._state.write_seconds(app, {"stop": self._clock.time() - began})
                if describing.is_running(self._engine, app):
                    raise EngineError(f"{app} still runs after it was told to stop.")
            self._lengthen(app, move, lease)

    def keep(self, app: str, move: str, lease: float) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            self._lengthen(app, move, lease)

    def release(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = check_lock(self._state, app, move)
            owner = owner_of(self._state, app)
            self._state.write_right(app, replace(rights.release(self._state.right(app), lock), owner=owner))

    def resume(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            self._resume(app)

    def resume_lapsed(self) -> list[str]:
        """Start again what moves stopped and are not heard of any more, and what a resume that was cut short left
        stopped; the names of these. For the guard."""
        return [app for app in self._state.applications() if self._resume_if_lapsed(app)]

    def sweep(self) -> list[str]:
        """Remove what plans left here that did not live to their end; what was removed, in words. For the guard."""
        return [*filter(None, map(self._sweep_plan, self._state.applications())), *self._sweep_movers()]

    def take_back(self, app: str) -> None:
        """The operator's force: let the application run here again and forget the move that holds it.

        Whoever asks for this knows that it does not run on the target. Raises RightError when its data is gone.
        """
        with self._state.exclusive(app):
            right = self._state.right(app)
            if right.right is Right.GONE and self._state.record(app) is not None:
                self._state.write_right(app, replace(right, right=Right.RELEASED))
            self._resume(app)
            self._forget_move(app, right.move)

    def destroy_left(self, app: str, move: str) -> None:
        """Remove what a move left here of an application that it brought away, and what it needed.

        Whoever asks for this knows that the application stays on the target. Raises RightError when the move did not
        take the right to run, LockedError when another move holds what is here.
        """
        with self._state.exclusive(app):
            if self._state.lock(app):
                check_lock(self._state, app, move)
            self._leave(app, move)
            self._forget_move(app, move)

    def forward(self, app: str, move: str, forwards: Sequence[Forward]) -> None:
        with self._state.exclusive(app):
            check_lock(self._state, app, move)
            published = {port for container in self._engine.containers(app) for port in container.ports}
            with self._state.forwarding(app):
                self._forwarder.start(app, [forward for forward in forwards if forward.port in published])

    def forward_page(self, app: str, move: str, address: str, port: int) -> None:
        """Whoever changes the right to run need not wait for the start of the forwarder, which takes a second."""
        check_lock(self._state, app, move)
        forwards = tuple(Forward(published, address, port) for published in self._page(app))
        with ExitStack() as starting:
            with self._state.exclusive(app):
                check_lock(self._state, app, move)
                if not self._may_forward_page(app, move, forwards):
                    return
                self._state.write_right(app, replace(self._state.right(app), page=forwards))
                starting.enter_context(self._state.forwarding(app))
            self._forwarder.start(app, forwards)

    def destroy(self, app: str, move: str, target_grid: str, target_app: str) -> None:
        with self._state.exclusive(app):
            lock = check_lock(self._state, app, move)
            if (target_grid, target_app) != (lock.target_grid, lock.target_app_name):
                raise RightError(f"{app} went to {lock.target_grid} as {lock.target_app_name}, not to {target_grid}.")
            self._leave(app, move)

    def finish(self, app: str, move: str) -> None:
        with self._state.exclusive(app):
            lock = self._state.lock(app)
            if lock is None or lock.move == move:
                self._forget_move(app, move)

    def _leave(self, app: str, move: str) -> None:
        """Remove the application and its data; what stays is the marker."""
        right = rights.leave(self._state.right(app), move)
        self._engine.remove_mover(move)
        for tree in self._doomed(app):
            self._engine.remove_tree(tree)
        self._state.write_right(app, right)
        self._state.leave_marker(app)
        (self._state.application_directory(app) / _TREES).unlink(missing_ok=True)

    def _page(self, app: str) -> list[Port]:
        """The published ports that lead to the page of the application."""
        page = wishes(self._engine.resolve(describing.definition(self._engine, self._state, app))).page
        ports = (port for container in self._engine.containers(app) for port in container.ports)
        wanted = (page.service, page.container_port, "tcp") if page else ()
        return [port for port in ports if (port.service, port.container_port, port.protocol) == wanted]

    def _may_forward_page(self, app: str, move: str, forwards: Sequence[Forward]) -> bool:
        """Whether nothing else is forwarded. What an earlier monitor of the move got is ended."""
        right = self._state.right(app)
        if not forwards or not rights.stopped_by(right, move):
            return False
        if right.page != forwards:
            self._end_page(app, right)
        return self._forwarder.forwards(app) in ((), forwards)

    def _end_page(self, app: str, right: RightRecord) -> None:
        """End what leads to a monitor, unless something else has taken its place."""
        if right.page:
            with self._state.forwarding(app):
                if self._forwarder.forwards(app) == right.page:
                    self._forwarder.end(app)

    def _suspend(self, app: str, move: str, lease: float) -> bool:
        """Take the right away; whether there is something to stop. It is written first: what is stopped without it
        would never be started again."""
        containers = self._engine.containers(app)
        policies = {container.id: container.restart_policy for container in containers}
        runs = any(container.running for container in containers)
        right = rights.suspend(self._state.right(app), move, policies, runs)
        self._state.write_right(app, replace(right, lease_until=self._clock.time() + lease))
        self._engine.set_restart_policies({container.id: "no" for container in containers})
        return runs

    def _lengthen(self, app: str, move: str, lease: float) -> None:
        right = self._state.right(app)
        self._state.write_right(app, rights.keep(right, move, self._clock.time() + lease))

    def _resume(self, app: str) -> None:
        """Take the right first: what runs without it could run on the target too. What is owed stays written down."""
        right = rights.resume(self._state.right(app))
        if right == self._state.right(app) and not rights.owes(right):
            return
        self._state.write_right(app, right)
        present = {container.id for container in self._engine.containers(app)}
        given_back = {key: policy for key, policy in right.policies.items() if key in present}
        self._engine.set_restart_policies(given_back)
        self._end_page(app, right)
        if right.ran:
            self._engine.start(describing.definition(self._engine, self._state, app))
        self._state.write_right(app, RightRecord(Right.HERE, right.move))

    def _resume_if_lapsed(self, app: str) -> bool:
        try:
            with self._state.exclusive_now(app):
                right = self._state.right(app)
                if not (rights.has_lapsed(right, self._clock.time()) or rights.owes(right)):
                    return False
                self._resume(app)
                lock = self._state.lock(app)
        except LockedError:
            return False
        if lock:
            self._tell_resumed(app, lock)
        return True

    def _sweep_plan(self, app: str) -> str:
        with suppress(LockedError), self._state.exclusive_now(app):
            return self._end_lapsed_plan(app)
        return ""

    def _end_lapsed_plan(self, app: str) -> str:
        lock = self._state.lock(app)
        if lock is None or not has_lapsed(lock, self._clock.time()):
            return ""
        self._forget_move(app, lock.move)
        return f"{app} is free again: the plan {lock.move} did not return its lock"

    def _sweep_movers(self) -> Iterator[str]:
        """A mover without a lock belongs to a plan to this grid, or to nobody."""
        locks = map(self._state.lock, self._state.applications())
        held = {lock.move for lock in locks if lock}
        for move in sorted(self._engine.movers() - held):
            if self._clock.time() > names.made_at(move) + PLAN_LEASE:
                self._engine.remove_mover(move)
                yield f"the mover of {move} is removed: nobody needs it"

    def _tell_resumed(self, app: str, lock: Lock) -> None:
        environment = hooks.environment(lock, self._state.configuration().address, "")
        with suppress(HookError):
            self.run_hooks(app, lock.move, HookPoint.POST_RESUME, environment)

    def _take_back_from(self, app: str, move: str) -> None:
        """The lock of another move was overridden: its mover ends, and the right that it took comes back."""
        self._engine.remove_mover(move)
        right = self._state.right(app)
        if right.move == move and right.right is Right.SUSPENDED:
            self._resume(app)

    def _trees(self, app: str) -> tuple[Tree, ...]:
        definition = describing.definition(self._engine, self._state, app)
        return self._engine.trees(definition, self._engine.resolve(definition))

    def _doomed(self, app: str) -> Sequence[Tree]:
        """Remove the containers; the trees that go with them, remembered until all are gone, the project last."""
        path = self._state.application_directory(app) / _TREES
        trees = read_json(tuple[Tree, ...], path)
        if trees is None and self._state.record(app) is None:
            return ()
        if trees is None:
            trees = describing.doomed(self._engine, self._state, app, self._trees(app))
            write_json(path, trees)
        self._engine.remove(app)
        return trees

    def _forget_move(self, app: str, move: str) -> None:
        """The lock goes last. What gave its right away and was not destroyed keeps a marker."""
        if move:
            self._engine.remove_mover(move)
        right, record = self._state.right(app), self._state.record(app)
        self._end_page(app, right)
        if right.right in (Right.RELEASED, Right.GONE):
            self._state.write_right(app, replace(right, right=Right.GONE, page=()))
        else:
            self._state.clear_right(app)
            if record and not record.managed:
                self._state.clear_record(app)
        self._state.clear_lock(app)
        self._state.tidy(app)


def _check_not_gone(app: str, right: RightRecord) -> None:
    if right.right is Right.GONE:
        raise RightError(
            f"{app} is not here any more: move {right.move} brought it to {right.target_grid}, as {right.target_app}."
        )


def _served(write: Callable[[], None], here: Channel, there: Channel) -> Channel:
    """The channel `here`, whose other end a thread writes to."""

    def serve() -> None:
        write()
        there.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def close() -> None:
        here.close()
        thread.join()

    return Channel(here.reader, here.writer, close)
