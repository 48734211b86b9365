"""A move, carried out phase by phase, and taken back if it cannot be.

The journal alone says where a move is, so any process may carry it on after another one died. Until the point of no
return every failure ends with the source as it was; after it, every failure ends forward.
"""

from __future__ import annotations

import fcntl
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ..application import HookPoint
from ..clock import Clock, SystemClock
from ..errors import GridError, LockedError, RightError
from ..sides import Action, Source, Target
from ..state import write_json
from . import report, reporting
from .journal import Failure, Journal
from .patience import FOREVER
from .phases import ITINERARIES, Phase, Undo
from .report import Report
from .request import Request
from .run import LEASE, Run
from .steps import Steps

BEATS_A_LEASE = 4
GIVE_UP = 300.0


class Move:
    """One move. `directory` is its own, named after it, and its journal and its report are there."""

    def __init__(
        self, request: Request, source: Source, target: Target, directory: Path, clock: Clock | None = None
    ) -> None:
        self._run = Run(request, source, target, directory, clock or SystemClock())
        self._steps = Steps(self._run)

    def run(self) -> Report:
        """Carry the move out, or on, to its end. Raises LockedError when another process is at it."""
        run = self._run
        run.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _only_driver(run.directory), self._journal():
            known = report.read(run.directory)
            if run.journal.position.finished and known:
                return known
            write_json(run.directory / "request.json", run.request)
            with run.clock.every(LEASE / BEATS_A_LEASE, self._keep):
                self._go()
            return self._end()

    def open_journal(self, path: Path, action: Action, clock: Clock) -> Journal:
        """The journal of the move. A place for tests to cut it off."""
        return Journal(path, action, clock)

    @contextmanager
    def _journal(self) -> Iterator[None]:
        run = self._run
        run.journal = self.open_journal(run.directory / "journal.jsonl", run.request.action, run.clock)
        try:
            yield
        finally:
            self._steps.close()
            run.journal.close()

    def _go(self) -> None:
        run = self._run
        if run.journal.position.failure is None:
            self._forward()
        if run.journal.position.failure is not None:
            self._back()

    def _forward(self) -> None:
        run = self._run
        for phase in ITINERARIES[run.request.action]:
            if phase in run.journal.position.ended:
                continue
            if run.may_cancel:
                if not self._try(phase):
                    return
            else:
                self._finish(phase)
            run.journal.done(phase)

    def _try(self, phase: Phase) -> bool:
        """Carry out a phase from which the move can still turn back; whether it need not."""
        try:
            self._run.check()
            self._begin(phase)
            self._run.check()
        except Exception as error:
            self._fail(phase, error)
            return False
        return True

    def _finish(self, phase: Phase) -> None:
        """Carry out a phase after the point of no return. What cannot be done is left, and the report says so."""
        self._run.on_wait = self._publish
        try:
            self._begin(phase)
        except Exception as error:
            self._log(error)
            reporting.leave(self._run, phase, str(error))

    def _begin(self, phase: Phase) -> None:
        self._run.journal.begin(phase)
        self._run.enter(phase)
        self._steps.carry_out(phase)

    def _fail(self, phase: Phase, error: Exception) -> None:
        self._log(error)
        self._run.progress.log(f"{phase.value}: failed: {error}")
        self._run.journal.failed(Failure(phase, type(error).__name__, str(error)))

    def _back(self) -> None:
        """Undo what was registered, last first."""
        run = self._run
        self._steps.close()
        run.on_wait = self._publish
        run.progress.update(going_back=True)
        for undo in reversed(run.journal.position.undos):
            run.progress.log(f"going back: {undo.value}")
            run.have_patience(FOREVER if undo is Undo.HALT_TARGET else GIVE_UP, stubborn=True)
            self._undo(undo)
            run.journal.undone(undo)

    def _undo(self, undo: Undo) -> None:
        """A halt must succeed before anything else may be undone. A lock that is not the move's any more means that
        somebody else answers for the application."""
        while True:
            try:
                return UNDOING[undo](self)
            except (LockedError, RightError) as error:
                if undo is not Undo.HALT_TARGET:
                    return self._run.warn(f"{undo.value}: {error}")
                self._again(error)
            except Exception as error:
                if undo is not Undo.HALT_TARGET:
                    self._log(error)
                    return self._run.warn(f"{undo.value} could not be done: {error}")
                self._again(error)

    def _again(self, error: Exception) -> None:
        self._log(error)
        self._publish(str(error))
        self._run.clock.sleep(LEASE / BEATS_A_LEASE)

    def finish_source(self) -> None:
        run = self._run
        run.at_source.ask(run.source.finish, run.app, run.move)

    def remove_target(self) -> None:
        run = self._run
        run.at_target.ask(run.target.remove, run.target_app, run.move)

    def resume_source(self) -> None:
        run = self._run
        run.at_source.ask(run.source.resume, run.app, run.move)
        run.journal.note(source_resumed=run.clock.time())
        with suppress(GridError):
            if run.has_hooks(HookPoint.POST_RESUME):
                run.source.run_hooks(run.app, run.move, HookPoint.POST_RESUME, run.hook_environment)

    def halt_target(self) -> None:
        run = self._run
        run.at_target.ask(run.target.halt, run.target_app, run.move)

    def _keep(self) -> None:
        """Let the source know that the move goes on, while it waits for its right."""
        run = self._run
        position = run.journal.position
        over = {Phase.RELEASE, Phase.RESUME_SOURCE} & set(position.ended)
        if "stop_began" in position.notes and not over and position.failure is None:
            with suppress(Exception):
                run.source.keep(run.app, run.move, LEASE)

    def _end(self) -> Report:
        run = self._run
        if run.journal.position.failure is None and run.control.was_cancelled:
            run.warn("The operator's cancel came too late.")
        found = reporting.make(run)
        run.progress.log(found.text())
        report.write(run.directory, found)
        run.progress.update(waiting_for="", eta_seconds=0.0)
        run.journal.free_reserve()
        run.journal.finished()
        return found

    def _publish(self, waiting_for: str) -> None:
        """Let the report say what has been reached, and what is still waited for."""
        with suppress(OSError):
            report.write(self._run.directory, reporting.make(self._run, waiting_for))

    def _log(self, error: Exception) -> None:
        if not isinstance(error, GridError):
            self._run.progress.log("".join(traceback.format_exception(error)))


UNDOING: Mapping[Undo, Callable[[Move], None]] = {undo: getattr(Move, undo.value) for undo in Undo}


@contextmanager
def _only_driver(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory / "driver", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LockedError(f"Another process carries move {directory.name} out already.") from None
    finally:
        os.close(descriptor)
