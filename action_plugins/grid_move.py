# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Start or take up a move on the target grid, and show how far it is until it ends.

The move does not need this process. When it is interrupted, the move goes on.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

GOOD = ("migrated", "snapshotted")
PATIENCE = 300.0  # seconds that the target grid may not answer
BEGINNING = 90.0  # seconds that MigHelper may take to begin
PAUSE = 1.0
BETWEEN_LINES = 2.0
WAIT = 5.0

display = Display()


class ActionModule(ActionBase):
    """The module ``grid_move``, and ``grid_move_info`` again and again until the move has ended."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Carry the task out; the result has the report."""
        result = super().run(tmp, task_vars)
        started = self._execute_module(task_vars=task_vars)
        result.update(started)
        if started.get("failed") or started.get("unreachable"):
            return result
        host = (task_vars or {}).get("inventory_hostname", "the target grid")
        if "plan" in started:
            return {**result, **_planned(started)}
        _tell(_under_way(started, host))
        return {**result, **self._follow(started["move"], host, task_vars)}

    def _follow(self, move: str, host: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        lines = _Lines()
        since = 0.0
        began = heard = time.monotonic()
        while True:
            asked = time.monotonic()
            news = self._ask(move, since, task_vars)
            if "finished" in news:
                since, heard = news["since"], time.monotonic()
                lines.add(news["line"], news["progress"] and news["progress"]["phase"])
                if news["finished"]:
                    return _ended(news)
                if not news["progress"] and heard - began > BEGINNING:
                    return {"failed": True, "msg": _not_begun(move, host)}
            elif time.monotonic() - heard > PATIENCE:
                return {"failed": True, "msg": f"{host} does not answer: {news.get('msg')}\n{_take_up(move)}"}
            else:
                lines.add(f"{host} does not answer; the move goes on without being watched", None)
            time.sleep(max(0.0, PAUSE - (time.monotonic() - asked)))

    def _ask(self, move: str, since: float, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        arguments = {"move": move, "since": since, "wait": WAIT}
        try:
            return dict(self._execute_module("grid_move_info", module_args=arguments, task_vars=task_vars))
        except AnsibleConnectionFailure as error:
            return {"unreachable": True, "msg": str(error)}


def _not_begun(move: str, host: str) -> str:
    return (
        f"MigHelper does not begin move {move}. On {host}, `docker ps --all --filter label=mig.helper={move}` shows its"
        f" container, and `docker logs` of that says why. `mig-grid move cancel {move}` there gives the move up."
    )


class _Lines:
    """What is shown of the progress: every phase, and else a line now and then when something changed."""

    def __init__(self) -> None:
        self._line = ""
        self._phase: str | None = None
        self._shown = 0.0

    def add(self, line: str, phase: str | None) -> None:
        due = phase != self._phase or time.monotonic() - self._shown >= BETWEEN_LINES
        if line and line != self._line and due:
            _tell(f"{time.strftime('%H:%M:%S')}  {line}")
            self._line, self._phase, self._shown = line, phase, time.monotonic()


def _show(text: str) -> None:
    for line in text.splitlines():
        display.display(line)


def _tell(text: str) -> None:
    """Show progress. It goes to standard error, because Ansible keeps back what it writes to a pipe or a file."""
    for line in text.splitlines():
        display.display(line, stderr=True)


def _under_way(started: dict[str, Any], host: str) -> str:
    verb = "was under way already and is taken up" if started["attached"] else "is under way"
    move = started["move"]
    return f"Move {move} {verb} on {host}. It goes on when this playbook is interrupted.\n{_take_up(move)}"


def _take_up(move: str) -> str:
    return (
        "The same playbook with the same variables takes it up again. On the target grid, "
        f"`mig-grid move follow {move}` shows how far it is, and `mig-grid move cancel {move}` turns it back."
    )


def _planned(started: dict[str, Any]) -> dict[str, Any]:
    _show(started["text"])
    if not started["blocked"]:
        return {}
    return {"failed": True, "msg": f"The move must wait until this is mended:\n{started['report']['error']}"}


def _ended(news: dict[str, Any]) -> dict[str, Any]:
    _show(news["text"])
    report = news["report"]
    result = {"changed": True, **{name: news[name] for name in ("report", "artifacts", "text")}}
    if report["result"] in GOOD:
        return result
    why = (report["error"].splitlines() or ["it did not say why"])[0]
    return {**result, "failed": True, "msg": f"{report['app']} was not moved ({report['result']}): {why}"}
