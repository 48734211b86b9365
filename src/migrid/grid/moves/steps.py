"""What each phase of a move does. Every step may be carried out again after it was cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .. import units
from ..application import Container, Finding, HookPoint, Level
from ..errors import BlockedError, CopyError, DefinitionError, HookError, UnhealthyError
from ..sides import Action
from ..volumes.client import Round
from . import asking, health, prediction
from .copying import Copying
from .meter import Meter
from .phases import Phase
from .prediction import Seen
from .request import DestroySource
from .run import LEASE, Run, lock_of

POLL = 0.25
TIME_TO_CHECK = 30.0
LAST_ROUNDS = 3


class Steps:
    """The phases as methods. They leave what later ones need in the journal's notes."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._copying = Copying(run)
        self._just_started = False

    def carry_out(self, phase: Phase) -> None:
        STEPS[phase](self)

    def close(self) -> None:
        self._copying.close()

    def preflight(self) -> None:
        run = self._run
        known = run.at_both.ask(asking.learn, run.request, run.source, run.target, run.clock)
        found = run.at_both.ask(asking.findings, run.request, run.source, run.target, known)
        for finding in found:
            run.progress.log(f"preflight: {finding.check} {finding.level.value}: {finding.text}")
        _refuse_blocked(found)
        habits = prediction.habits(known.application, known.recorded, run.request)
        run.journal.note(known=known, habits=habits, lock=lock_of(run.request, run.move, run.clock.time()))

    def lock(self) -> None:
        run = self._run
        run.journal.reserve()
        run.at_target.ask(run.target.lock, run.lock)
        run.at_source.ask(run.source.lock, run.lock)

    def images(self) -> None:
        run = self._run
        missing = run.at_target.ask(run.target.missing_images, run.known.application.images)
        if missing:
            names = ", ".join(image.reference for image in missing)
            run.progress.log(f"images: {names} are missing on {run.request.target_grid}")
            run.at_both.ask(self._bring_images)

    def provision(self) -> None:
        run = self._run
        run.at_target.ask(run.target.provision, run.known.application, run.lock)

    def precopy(self) -> None:
        run = self._run
        run.journal.note(survey=self._copying.survey())
        run.at_both.ask(asking.refuse_full, run.request, run.target, run.known, run.survey)
        predicted = [self._precopy_round()]
        self._check()
        while not self._is_time(predicted):
            predicted.append(self._precopy_round())
            if self._has_time():
                self._check()
        run.journal.note(predicted_downtime_seconds=predicted[-1])

    def stop(self) -> None:
        run = self._run
        if "stop_began" not in run.notes:
            self._hooks_at_source(HookPoint.PRE_STOP)
            run.journal.note(stop_began=run.clock.time())
        run.at_source.ask(run.source.stop, run.app, run.move, run.request.stop_timeout, LEASE)
        stopped = run.clock.time()
        seconds = run.at_source.ask(run.source.seconds, run.app).get("stop", 0.0)
        run.journal.note(stop_seconds=seconds, down_since=max(stopped - seconds, run.notes["stop_began"]))

    def delta(self) -> None:
        """What is copied counts only if the source was stopped before and after: a lease may have run out."""
        run = self._run
        run.at_source.ask(run.source.keep, run.app, run.move, LEASE)
        last = self._copying.round(final=True)
        run.at_source.ask(run.source.keep, run.app, run.move, LEASE)
        self._log_round("delta", last)
        run.journal.note(**{f"delta {len(_deltas(run))}": last})

    def resume_source(self) -> None:
        run = self._run
        run.at_source.ask(run.source.resume, run.app, run.move)
        run.journal.note(source_resumed=run.clock.time())
        self._hooks_at_source(HookPoint.POST_RESUME)

    def verify(self) -> None:
        """What differs is sent again as long as nothing writes to the source. A copy must also be able to start."""
        if self._run.request.action is Action.SNAPSHOT:
            self._rehearse()
        for attempt in range(1, LAST_ROUNDS + 1):
            try:
                self._verify_once()
            except CopyError as error:
                if attempt == LAST_ROUNDS or Phase.RESUME_SOURCE in self._run.journal.position.ended:
                    raise
                self._run.progress.log(f"verify: {error}; copying once more")
                self.delta()
            else:
                return

    def release(self) -> None:
        run = self._run
        run.at_source.ask(run.source.release, run.app, run.move)

    def start(self) -> None:
        run = self._run
        if not run.known.application.running:
            run.progress.log("start: the application was stopped, and stays so")
            return
        run.journal.note(start_began=run.clock.time())
        run.at_target.ask(run.target.start, run.target_app, run.move)
        self._just_started = True
        self._hooks_at_target(HookPoint.POST_START)

    def healthy(self) -> None:
        run = self._run
        if run.known.application.running:
            run.at_target.ask(self._wait_until_healthy)
            run.journal.note(healthy_at=run.clock.time())

    def hand_over(self) -> None:
        run = self._run
        run.at_target.ask(run.target.let_in, run.target_app, run.move)
        run.journal.note(let_in_at=run.clock.time())
        forwards = run.at_target.ask(run.target.forwards, run.target_app, run.known.application.ports)
        if forwards or run.known.application.wishes.page:
            run.at_source.ask(run.source.forward, run.app, run.move, forwards)
        if forwards:
            run.journal.note(forwards=forwards, handed_over_at=run.clock.time())
        try:
            self._hooks_at_target(HookPoint.HAND_OVER)
        except HookError as error:
            run.warn(str(error))

    def destroy_source(self) -> None:
        run = self._run
        if run.request.destroy_source is DestroySource.AFTER_HEALTHY:
            run.at_source.ask(run.source.destroy, run.app, run.move, run.request.target_grid, run.request.target_app)

    def clean_up(self) -> None:
        run = self._run
        self._copying.close()
        run.at_target.ask(run.target.settle, run.target_app, run.move, _seconds(run))
        run.at_source.ask(run.source.finish, run.app, run.move)

    def _bring_images(self) -> None:
        """What came before a connection broke is not missing any more."""
        run = self._run
        missing = run.target.missing_images(run.known.application.images)
        if not missing:
            return
        engine = run.known.target.engine
        known = frozenset(engine.layers if engine.keeps_layers else ())
        meter = Meter(run)
        channel = run.source.images(run.app, run.move, [image.id for image in missing], known)
        try:
            run.target.load_images(run.move, missing, channel, meter.let_pass)
        finally:
            channel.close()
        meter.end()

    def _precopy_round(self) -> float:
        """One round with its verification; the downtime that is predicted after it."""
        run = self._run
        number, began = len(run.rounds) + 1, run.clock.time()
        run.progress.update(round=number)
        done = self._copying.round(final=False)
        self._log_round(f"precopy: round {number}", done)
        seen = Seen(done, self._verify_early(), began, run.clock.time())
        run.journal.note(**{f"round {number}": seen})
        predicted = prediction.downtime(run.habits, run.survey, run.rounds)
        run.progress.log(f"precopy: predicted downtime {units.seconds(predicted)}")
        run.progress.update(predicted_downtime_seconds=predicted)
        return predicted

    def _rehearse(self) -> None:
        run = self._run
        run.at_target.ask(run.target.rehearse, run.target_app, run.move)

    def _verify_early(self) -> float:
        """Read back what came, so that little is left for the stop; what differs comes again."""
        try:
            return self._copying.verify().seconds
        except CopyError as error:
            self._run.progress.log(f"precopy: {error}; it is copied again")
            return 0.0

    def _is_time(self, predicted: list[float]) -> bool:
        """Whether to stop the application now, rather than to copy another round. Waits until it is time for either."""
        run = self._run
        while True:
            run.check()
            at = run.control.cut_over_at
            if at is None:
                return prediction.is_ready(predicted)
            moment = prediction.next_moment(run.rounds[-1], at)
            if run.clock.time() >= moment:
                return moment >= at
            run.clock.sleep(min(1.0, moment - run.clock.time()))

    def _has_time(self) -> bool:
        """Whether the next round, or the stop, is some way off."""
        at, run = self._run.control.cut_over_at, self._run
        return bool(at) and prediction.next_moment(run.rounds[-1], at or 0.0) - run.clock.time() > TIME_TO_CHECK

    def _check(self) -> None:
        """What was described in preflight must be what is there, and the target must be able to start what came."""
        self._rehearse()
        run = self._run
        before, now = run.known.application, run.at_source.ask(run.source.describe, run.app)
        if before.trees != now.trees or before.definition != now.definition:
            raise DefinitionError(
                f"{run.app} was changed on {run.request.source_grid} since the move began: it has other volumes or"
                " other services now. Start the move again."
            )

    def _verify_once(self) -> None:
        run = self._run
        found = self._copying.verify()
        expected = _deltas(run)[-1].manifest
        if found.manifest != expected:
            raise CopyError(f"The target has manifest {found.manifest}, the source had {expected} when it stopped.")
        run.progress.log(f"verify: {found.files} files, manifest {found.manifest}")
        run.journal.note(manifest=found.manifest)

    def _hooks_at_source(self, point: HookPoint) -> None:
        run = self._run
        if run.known.application.running and run.has_hooks(point):
            run.at_source.ask(run.source.run_hooks, run.app, run.move, point, run.hook_environment)

    def _hooks_at_target(self, point: HookPoint) -> None:
        run = self._run
        if run.known.application.running and run.has_hooks(point):
            run.at_target.ask(run.target.run_hooks, run.target_app, run.move, point, run.hook_environment)

    def _wait_until_healthy(self) -> None:
        """If the engine or the driver went away meanwhile, this begins anew, and starts what nobody else did."""
        run, before = self._run, self._run.known.application
        deadline = run.clock.time() + before.wishes.health_timeout
        settled = 0.0
        if not self._just_started:
            run.target.start(run.target_app, run.move)
        self._just_started = False
        while True:
            waiting = self._waiting(run.target.containers(run.target_app))
            settled = 0.0 if waiting else settled or run.clock.time()
            if not waiting and self._has_settled(settled):
                return
            if run.clock.time() > deadline:
                raise UnhealthyError(
                    f"{run.target_app} did not get healthy within {units.seconds(before.wishes.health_timeout)}: "
                    + ("; ".join(waiting) or "it did not stay so")
                )
            run.check()
            run.clock.sleep(POLL)

    def _waiting(self, now: tuple[Container, ...]) -> tuple[str, ...]:
        """What is still waited for; the probe is asked when all containers are in order."""
        run = self._run
        waiting = health.check(run.known.application.containers, now)
        if waiting:
            return waiting
        try:
            if run.known.application.wishes.probe:
                run.target.probe(run.target_app)
        except UnhealthyError as error:
            return (str(error),)
        return ()

    def _has_settled(self, since: float) -> bool:
        """Containers that say nothing of their health must run for a moment, unless the probe speaks for them."""
        run = self._run
        if run.known.application.wishes.probe or health.has_check(run.known.application.containers):
            return True
        return run.clock.time() - since >= prediction.SETTLING

    def _log_round(self, what: str, done: Round) -> None:
        self._run.progress.log(
            f"{what}: {done.files} files, {units.size(done.bytes)} sent, {units.size(done.changed_bytes)} of content,"
            f" in {units.seconds(done.seconds)}"
        )


STEPS: Mapping[Phase, Callable[[Steps], None]] = {phase: getattr(Steps, phase.value) for phase in Phase}


def _refuse_blocked(found: Iterable[Finding]) -> None:
    blocking = [finding for finding in found if finding.level is Level.BLOCKS]
    if blocking:
        raise BlockedError(blocking)


def _deltas(run: Run) -> list[Round]:
    names = sorted((name for name in run.notes if name.startswith("delta ")), key=lambda name: int(name[6:]))
    return [run.noted(name, Round) for name in names]


def _seconds(run: Run) -> dict[str, float]:
    notes, found = run.notes, {}
    if "stop_seconds" in notes:
        found["stop"] = float(notes["stop_seconds"])
    if "healthy_at" in notes:
        found["start"] = float(notes["healthy_at"]) - float(notes["start_began"])
    if "handed_over_at" in notes:
        found["hand_over"] = float(notes["handed_over_at"]) - float(notes["healthy_at"])
    return prediction.remembered(run.known.recorded, found)
