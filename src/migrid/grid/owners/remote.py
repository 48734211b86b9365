"""A grid asked over SSH by an owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..helper import Started
from ..moves.live import News
from ..moves.monitored import MonitorSecrets
from ..moves.plan import Plan
from ..peers.channels import Advice, Way
from ..peers.connections import Connections
from .gate import VERBS
from .service import GridFacts, Moved

ADVICE = Advice(
    who="this application's owner",
    new_host="put its new key into grid_info",
    new_key="Ask the grid's operator to enter it in grid_owners",
    no_gate="Ask the grid's operator whether grid_owners has this key",
    new_release="ask the operators to bring the grid and MIGCTL to the same release",
)


class RemoteService:
    """A `service.Service` behind the gate for owners of another grid."""

    def __init__(self, way: Way) -> None:
        self._verbs = Connections(way, VERBS)

    def close(self) -> None:
        """Close all connections; the next verb opens a new one."""
        self._verbs.close()

    def facts(self) -> GridFacts:
        return cast(GridFacts, self._verbs.ask("facts"))

    def whose(self, container: str) -> str:
        return cast(str, self._verbs.ask("whose", container=container))

    def taken(self, app: str) -> str:
        return cast(str, self._verbs.ask("taken", app=app))

    def plan(self, options: Mapping[str, str], app_config: Mapping[str, str]) -> Plan:
        return cast(Plan, self._verbs.ask("plan", options=options, app_config=app_config))

    def start(
        self, options: Mapping[str, str], app_config: Mapping[str, str], monitor: MonitorSecrets | None = None
    ) -> Started:
        return cast(Started, self._verbs.ask("start", options=options, app_config=app_config, monitor=monitor))

    def news(self, move: str, since: float, wait: float) -> News:
        return cast(News, self._verbs.ask("news", move=move, since=since, wait=wait))

    def cancel(self, move: str) -> None:
        self._verbs.ask("cancel", move=move)

    def moves(self) -> tuple[Moved, ...]:
        return cast(tuple[Moved, ...], self._verbs.ask("moves"))

    def log(self, move: str) -> str:
        return cast(str, self._verbs.ask("log", move=move))

    def dismiss(self, move: str) -> None:
        self._verbs.ask("dismiss", move=move)

    def destroy_left(self, app: str, move: str) -> None:
        self._verbs.ask("destroy_left", app=app, move=move)
