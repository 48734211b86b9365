"""What every gate does with whoever comes in over SSH: one command, then lines of JSON, errors in one line, and an
audit in syslog. Nobody at the other end ever sees a traceback."""

from __future__ import annotations

import os
import sys
import syslog
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import GridError, RefusedError
from ..state import State
from . import wire
from .channels import GREETING

DONE = 0
REFUSED = 2
INPUT, OUTPUT = 0, 1

_SHOWN = 200


class Served(Protocol):
    """A gate as one visitor meets it."""

    def serve(self, command: str) -> int:
        """Do what the command says; the exit status."""


def run(program: str, who: str, open_gate: Callable[[str, State], Served]) -> int:
    """Serve what SSH_ORIGINAL_COMMAND asks for, for whom the forced command names; the exit status."""
    syslog.openlog(program, syslog.LOG_PID, syslog.LOG_AUTHPRIV)
    if len(sys.argv) != 2:
        return _refuse(program, RefusedError(f"the forced command must be: {program} {who}"))
    try:
        gate = open_gate(sys.argv[1], State())
    except GridError as error:
        return _refuse(program, error)
    return gate.serve(os.environ.get("SSH_ORIGINAL_COMMAND", ""))


@dataclass(frozen=True)
class Visitor:
    """Who came in, such as `grid grid-b`, and to which gate."""

    program: str
    name: str

    def serve(self, command: str, work: Callable[[], None]) -> int:
        """Do the work for the command; the exit status."""
        try:
            work()
        except GridError as error:
            self.audit(f"refused {ascii(command)[:_SHOWN]}: {error}", syslog.LOG_WARNING)
            return _refuse(self.program, error)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), OUTPUT)
        except Exception:
            _log_traceback()
            return _refuse(self.program, GridError("the gate failed; the journal of its host says why"))
        return DONE

    def answer_verbs(self, verbs: wire.Verbs, carry_out: Callable[[str, dict[str, Any]], Any]) -> None:
        """Answer line after line until the last one."""
        with os.fdopen(INPUT, "rb", closefd=False) as lines, os.fdopen(OUTPUT, "wb", closefd=False) as answers:
            while line := lines.readline(wire.REQUEST_BYTES):
                if not line.endswith(b"\n"):
                    raise RefusedError(f"a verb has at most {wire.REQUEST_BYTES >> 20} MiB in one whole line")
                answers.write(self._answer(line, verbs, carry_out))
                answers.flush()

    def audit(self, text: str, level: int = syslog.LOG_INFO) -> None:
        syslog.syslog(level, f"{self.name}: {text}")

    def _answer(self, line: bytes, verbs: wire.Verbs, carry_out: Callable[[str, dict[str, Any]], Any]) -> bytes:
        try:
            verb, arguments = wire.read_request(line, verbs)
            return wire.answer(carry_out(verb, arguments))
        except GridError as error:
            self.audit(str(error), syslog.LOG_WARNING)
            return wire.error_answer(error)
        except Exception:
            _log_traceback()
            return wire.error_answer(GridError("The gate of this verb failed; the journal of its host says why."))


def greet() -> None:
    """Say who this is, before anything else is written."""
    os.write(OUTPUT, GREETING.encode() + b"\n")


def _refuse(program: str, error: GridError) -> int:
    print(f"{program}: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
    return REFUSED


def _log_traceback() -> None:
    for line in traceback.format_exc().splitlines():
        syslog.syslog(syslog.LOG_ERR, line)
