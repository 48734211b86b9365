"""What this grid does for one owner, beside its engine. Of anything else the owner learns neither that it is there nor
that it is not, but for names that are taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from .. import helper, names
from ..clock import Clock, SystemClock
from ..compose import properties
from ..engine import Engine
from ..errors import GridError, LockedError, OptionError, RightError, UnknownError
from ..helper import Started
from ..local import describing
from ..local.owning import check_owner, owner_of
from ..moves import control, live, request
from ..moves.live import News
from ..moves.monitored import MonitorSecrets
from ..moves.plan import Plan
from ..moves.request import Request
from ..opening import open_engine, open_helpers, open_source, remote_source
from ..sides import Right
from ..state import State
from . import telling
from .service import LONGEST_WAIT, GridFacts, Moved

_MOVES = 100


class LocalService:
    """`service.Service` of this grid for one owner."""

    def __init__(self, owner: str, state: State, clock: Clock | None = None) -> None:
        self._owner = owner
        self._state = state
        self._engine: Engine = open_engine(state)
        self._clock: Clock = clock or SystemClock()

    def facts(self) -> GridFacts:
        here = describing.facts(self._engine, self._state, self._clock)
        return GridFacts(
            grid=here.grid,
            address=here.address,
            release=here.release,
            engine=here.engine.version,
            architecture=here.engine.architecture,
            free_bytes=here.engine.free_bytes,
            time=here.time,
            applications=tuple(filter(self._is_theirs, here.applications)),
        )

    def whose(self, container: str) -> str:
        mine = filter(self._is_theirs, self._engine.projects())
        return next((app for app in mine if any(item.id == container for item in self._engine.containers(app))), "")

    def taken(self, app: str) -> str:
        try:
            self._check_name(names.application(app))
        except GridError as error:
            return str(error)
        return ""

    def plan(self, options: Mapping[str, str], app_config: Mapping[str, str]) -> Plan:
        made = helper.make_plan(self._state, self._checked(options, app_config))
        return replace(made, request=telling.without_values(made.request))

    def start(
        self, options: Mapping[str, str], app_config: Mapping[str, str], monitor: MonitorSecrets | None = None
    ) -> Started:
        return helper.start_move(self._state, self._checked(options, app_config), secrets=monitor)

    def news(self, move: str, since: float, wait: float) -> News:
        self._asked_of(move)
        return live.news(self._state, move, since, max(0.0, min(wait, LONGEST_WAIT)), self._clock)

    def cancel(self, move: str) -> None:
        asked = self._asked_of(move)
        directory = self._state.move_directory(move)
        if not (directory / "cancel").exists():
            control.cancel(directory, asked.action)

    def moves(self) -> tuple[Moved, ...]:
        return tuple(self._moves())[-_MOVES:]

    def log(self, move: str) -> str:
        self._asked_of(move)
        return telling.log(self._state, move)

    def dismiss(self, move: str) -> None:
        app = self._asked_of(move).target_app
        with self._state.exclusive(app):
            if not helper.is_finished(self._state, move):
                raise LockedError(f"Move {move} is not over; cancel it, or wait for its end.")
            helper.dismiss(self._state, move, open_helpers(self._state))

    def destroy_left(self, app: str, move: str) -> None:
        check_owner(open_source(self._state), names.application(app), self._owner)
        right = self._state.right(app)
        if right.move != names.move(move) or right.right not in (Right.RELEASED, Right.GONE):
            raise RightError(f"Move {move} did not take the right to run {app} from this grid; nothing is removed.")
        if right.right is Right.GONE and self._state.record(app) is None:
            return
        self._check_arrived(right.target_grid, right.target_app, move)
        open_source(self._state).destroy_left(app, move)

    def _check_arrived(self, grid: str, app: str, move: str) -> None:
        with remote_source(self._state, grid) as there:
            arrived_by = there.describe(app).arrived_by
        if arrived_by != move:
            raise RightError(f"Grid {grid} does not say that {app} arrived there by move {move}, to stay.")

    def _checked(self, options: Mapping[str, str], app_config: Mapping[str, str]) -> Request:
        """The request, which is for an application of the owner's and for a name that is not somebody else's."""
        here = self._state.configuration().name
        if options.get("target_grid", here) != here:
            raise OptionError(f"target_grid: this is {here}; ask {options['target_grid']} for moves to it.")
        if "plan_only" in options:
            raise OptionError("plan_only is no option here; ask for the plan.")
        asked = request.parse({**options, "target_grid": here})
        asked = replace(asked, owner=self._owner, app_config=self._allowed(app_config))
        self._check_name(asked.target_app)
        with remote_source(self._state, asked.source_grid) as source:
            check_owner(source, asked.app, self._owner)
        return asked

    def _allowed(self, app_config: Mapping[str, str]) -> dict[str, str]:
        """Properties can lead to anything that a Compose file can say, so the operator names those that an owner may
        give. Raises RightError, DefinitionError."""
        allowed = self._state.configuration().owners[self._owner].properties
        if refused := sorted(set(app_config) - set(allowed)):
            raise RightError(
                f"app_config: {self._owner} may not give the property {refused[0]} on this grid, but only:"
                f" {', '.join(allowed) or 'none'}. The operator of the grid names them in grid_owners."
            )
        return properties.checked(app_config)

    def _check_name(self, app: str) -> None:
        """Raises LockedError unless the name is nobody's, or that of what a move of the owner's brings."""
        helper.check_free_for(self._owner, self._state, app)
        record = self._state.record(app)
        arriving = record is not None and not record.settled
        known = record is not None or app in self._engine.projects()
        if (known and not arriving) or owner_of(self._state, app) not in ("", self._owner):
            raise LockedError(f"There is an application {app} on this grid already; choose another target_app.")

    def _is_theirs(self, app: str) -> bool:
        return owner_of(self._state, app) == self._owner

    def _asked_of(self, move: str) -> Request:
        asked = helper.request_of(self._state, names.move(move))
        if asked is None or asked.owner != self._owner:
            raise UnknownError(f"{self._owner} has no move {move} to grid {self._state.configuration().name}.")
        return asked

    def _moves(self) -> Iterator[Moved]:
        """One whose files are damaged is left out."""
        for move in self._state.moves():
            with suppress(GridError):
                asked = self._asked_of(move)
                yield telling.moved(self._state, move, asked)
