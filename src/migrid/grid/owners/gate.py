"""The gate for owners: what an application's owner reaches when coming in over SSH, and all that they reach.

`mig-grid-owner OWNER` is the forced command of the owner's key. It knows one word, `verbs`: lines of JSON with the
verbs of `service`. Anything else is refused with one line and exit status 2.
"""

from __future__ import annotations

import syslog
from typing import Any

from .. import names
from ..errors import RefusedError
from ..peers import serving, wire
from ..peers.serving import Visitor, greet
from ..state import State
from .local import LocalService
from .service import Service

PROGRAM = "mig-grid-owner"
VERBS = wire.verbs_of(Service)
_SHOWN = 500

_LEVELS = dict.fromkeys(("facts", "whose", "taken", "news", "moves", "log"), syslog.LOG_DEBUG)


def main() -> int:
    """Serve an owner; the exit status."""
    return serving.run(PROGRAM, "OWNER", OwnerGate)


class OwnerGate:
    """The gate as one owner meets it, on the standard input and output of this process."""

    def __init__(self, owner: str, state: State) -> None:
        self._owner = owner
        self._state = state
        self._visitor = Visitor(PROGRAM, f"owner {owner}")

    def serve(self, command: str) -> int:
        """Do what the command says."""
        return self._visitor.serve(command, lambda: self._obey(command))

    def _obey(self, command: str) -> None:
        self._check_known()
        if command != "verbs":
            raise RefusedError("an owner may ask for: verbs")
        greet()
        self._visitor.answer_verbs(VERBS, self._carry_out)

    def _carry_out(self, verb: str, arguments: dict[str, Any]) -> Any:
        self._check_known()
        self._visitor.audit(f"{verb}{_about(arguments)}", _LEVELS.get(verb, syslog.LOG_INFO))
        return getattr(LocalService(self._owner, self._state), verb)(**arguments)

    def _check_known(self) -> None:
        """A connection that is open does not outlive what the operator takes back."""
        configuration = self._state.configuration()
        if names.owner(self._owner) not in configuration.owners:
            raise RefusedError(f"{self._owner} owns no applications as far as grid {configuration.name} knows")


def _about(arguments: dict[str, Any]) -> str:
    """What the audit says of a verb: no value of a property."""
    told = {name: value for name, value in arguments.items() if name in ("app", "move", "options")}
    return f" {told!a}"[:_SHOWN] if told else ""
