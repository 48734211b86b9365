"""The applications of one grid, and the operator's verbs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..application import Container, Definition, Tree, TreeKind
from ..clock import Clock, SystemClock
from ..compose.properties import effective, here
from ..compose.wishes import wishes
from ..engine import Engine
from ..errors import LockedError, RightError, UnhealthyError, UnknownError
from ..sides import Right
from ..state import Record, State
from .provisioned import read_provisioned, settle_provisioned
from .standing import Observed, Standing, restart_policies, sentence, standing

BREATH = 0.3


@dataclass(frozen=True)
class Information:
    """What an operator may want to know of an application. Of properties it has the names: values may be secrets."""

    observed: Observed
    trees: tuple[Tree, ...]
    own_properties: tuple[str, ...]
    grid_properties: tuple[str, ...]
    seconds: Mapping[str, float]


class Applications:
    """What an operator can do with the applications of a grid.

    Whatever changes one takes its lock first and raises LockedError when somebody else is at it.
    """

    def __init__(self, state: State, engine: Engine, clock: Clock | None = None) -> None:
        self.state = state
        self.engine = engine
        self._clock: Clock = clock or SystemClock()

    def all(self) -> list[Observed]:
        """Every application here, those that Compose was told to start by hand and those that moved away included."""
        projects = self.engine.projects()
        every = (self._observed(app, projects) for app in sorted({*self.state.applications(), *projects}))
        return [observed for observed in every if observed.known]

    def observe(self, app: str) -> Observed:
        """One application, or that there is none of this name."""
        return self._observed(app, self.engine.projects())

    def known(self, app: str) -> Observed:
        """One application. Raises UnknownError, which names those that there are."""
        observed = self.observe(app)
        if not observed.known:
            there = ", ".join(each.name for each in self.all()) or "none"
            raise UnknownError(f"There is no application {app} on this grid; there are: {there}.")
        return observed

    def information(self, app: str) -> Information:
        """All of one application. Raises UnknownError, DefinitionError."""
        observed = self.known(app)
        record = observed.record
        return Information(
            observed=observed,
            trees=self.trees(observed.definition) if observed.definition else (),
            own_properties=tuple(sorted(record.properties)) if record else (),
            grid_properties=tuple(sorted(self.grid_properties(app))) if observed.managed else (),
            seconds=self.state.seconds(app),
        )

    def start(self, app: str, wait: bool = True) -> Observed:
        """Let an application run here and through restarts of the engine; `wait` until it is healthy.

        Raises RightError when it moved away, LockedError while a move holds it, UnhealthyError.
        """
        with self.state.exclusive_now(app):
            observed = self.known(app)
            definition = self._startable(observed)
            self.bring_up(observed, definition)
        return self.wait_until_up(app) if wait else self.observe(app)

    def stop(self, app: str, timeout: float | None = None) -> Observed:
        """Stop an application so that it stays stopped when the engine restarts. `timeout` seconds until SIGKILL."""
        with self.state.exclusive_now(app):
            observed = self.known(app)
            self._startable(observed)
            self.bring_down(observed, timeout)
        return self.observe(app)

    def destroy(self, app: str) -> None:
        """Remove an application with its volumes, except external ones, and what the grid remembers of it.

        The project directory goes too if the grid made it. Raises LockedError while a move holds it.
        """
        with self.state.exclusive_now(app):
            observed = self.known(app)
            refuse_while_held(observed)
            self.tear_down(observed)

    def bring_up(self, observed: Observed, definition: Definition) -> None:
        """Start an application that this process holds the lock of; what was changed of it takes effect."""
        app = observed.name
        began = self._clock.time()
        provisioned = read_provisioned(self.state, app)
        if provisioned.pending:
            self.engine.build(definition)
            self.engine.apply(definition, provisioned.anew)
        else:
            self.engine.start(definition)
        self._restore_policies(definition)
        settle_provisioned(self.state, app)
        self._remember_stopped(observed.record, stopped=False)
        self.state.write_seconds(app, {"start": self._clock.time() - began})

    def bring_down(self, observed: Observed, timeout: float | None) -> None:
        """Stop an application that this process holds the lock of."""
        self._remember_stopped(observed.record, stopped=True)
        self.engine.set_restart_policies(
            {container.id: "no" for container in observed.containers if container.restart_policy != "no"}
        )
        if observed.running:
            began = self._clock.time()
            self.engine.stop(observed.name, timeout)
            self.state.write_seconds(observed.name, {"stop": self._clock.time() - began})

    def tear_down(self, observed: Observed) -> None:
        """Destroy an application that this process holds the lock of."""
        app, definition = observed.name, observed.definition
        trees = self.trees(definition) if definition else ()
        self.engine.remove(app)
        for tree in trees:
            if not tree.external and tree.kind is TreeKind.VOLUME:
                self.engine.remove_tree(tree)
        self.state.forget(app)

    def wait_until_up(self, app: str) -> Observed:
        """Wait until the application is healthy, and remember how long its start took. Raises UnhealthyError."""
        observed = self.observe(app)
        began, patience = self._clock.time(), self._patience(observed)
        while not observed.up:
            passed = self._clock.time() - began
            if passed > patience or standing(observed) is Standing.STOPPED:
                raise UnhealthyError(f"{app} did not get healthy within {passed:.0f} s: {_ailing(observed)}.")
            self._clock.sleep(BREATH)
            observed = self.observe(app)
        started = self.state.seconds(app).get("start", 0.0)
        self.state.write_seconds(app, {"start": started + self._clock.time() - began})
        return observed

    def grid_properties(self, app: str) -> Mapping[str, str]:
        """The properties that an application gets on this grid, whatever its own are."""
        record = self.state.record(app)
        return here(record.app_config if record else {}, self.state.configuration().app_config.get(app, {}))

    def effective_properties(self, app: str, own: Mapping[str, str]) -> dict[str, str]:
        """The properties that an application has here."""
        return effective(own, self.grid_properties(app))

    def trees(self, definition: Definition) -> tuple[Tree, ...]:
        """The volumes and the project directory of an application."""
        return self.engine.trees(definition, self.engine.resolve(definition))

    def _observed(self, app: str, projects: Mapping[str, Definition]) -> Observed:
        record = self.state.record(app)
        return Observed(
            name=app,
            record=record,
            right=self.state.right(app),
            lock=self.state.lock(app),
            definition=record.definition if record else projects.get(app),
            containers=self.engine.containers(app) if app in projects else (),
        )

    def _startable(self, observed: Observed) -> Definition:
        refuse_while_held(observed)
        if observed.right.right is Right.GONE or observed.definition is None:
            raise RightError(
                f"{sentence(observed)}. To bring it back: ansible-playbook "
                f"migrate.yml -e app={observed.right.target_app} -e target_grid={self.state.configuration().name}"
            )
        return observed.definition

    def _patience(self, observed: Observed) -> float:
        if observed.definition is None:
            return 0.0
        return wishes(self.engine.resolve(observed.definition)).health_timeout

    def _restore_policies(self, definition: Definition) -> None:
        model: Mapping[str, Any] = self.engine.resolve(definition)
        policies = restart_policies(model, self.engine.containers(definition.name))
        if policies:
            self.engine.set_restart_policies(policies)

    def _remember_stopped(self, record: Record | None, stopped: bool) -> None:
        if record and record.stopped != stopped:
            self.state.write_record(replace(record, stopped=stopped))


def refuse_while_held(observed: Observed) -> None:
    """Raise LockedError or RightError when a move has the say over the application."""
    if observed.lock:
        raise LockedError(
            f"{sentence(observed)}. `mig-grid move follow {observed.lock.move}` on "
            f"{observed.lock.target_grid} shows how far it is, `mig-grid move cancel` there ends it."
        )
    if standing(observed) is Standing.INTERRUPTED:
        raise RightError(
            f"{sentence(observed)}, which has not given it back. "
            f"`mig-grid release-lock {observed.name}` says what can be done."
        )


def _ailing(observed: Observed) -> str:
    words = [_ails(container) for container in observed.containers if not _well(container)]
    return "; ".join(words) or "it has no containers"


def _well(container: Container) -> bool:
    return container.state == "running" and container.health in ("", "healthy")


def _ails(container: Container) -> str:
    end = f" with exit status {container.exit_code}" if container.state == "exited" else ""
    health = f", health check: {container.health}" if container.health else ""
    return f"{container.name} is {container.state}{end}{health}"
