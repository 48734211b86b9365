"""How long a move and its downtime will take, from what was seen so far. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..application import Application
from ..sides import Action
from ..volumes.client import Round, Survey
from .request import Request

MAX_ROUNDS = 12
FALLS_ENOUGH = 0.9
USUAL_RATE = 100e6
FILES_A_SECOND = 100_000.0
IMAGES_RATE = 50e6
AROUND_SECONDS = 12.0
VERBS_SECONDS = 0.1
PAUSE_BETWEEN_ROUNDS = 60.0
READY_BEFORE = 1.5
STOP_SECONDS = 1.0
IGNORED_TERM_SECONDS = 10.0
START_SECONDS = 1.5
CONTAINER_SECONDS = 0.4
HAND_OVER_SECONDS = 0.6
SETTLING = 1.0
HEALTH_INTERVAL = 30.0
START_INTERVAL = 5.0
_DURATION = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Seen:
    """A pre-copy round with its verification: `began` and `ended` are times, `verify_seconds` is within them."""

    round: Round
    verify_seconds: float
    began: float
    ended: float


@dataclass(frozen=True)
class Habits:
    """How many seconds the application takes to stop, to start until it is healthy, and until its old address answers
    again. A snapshot only starts again what was stopped."""

    stop: float
    start: float
    hand_over: float = 0.0


def habits(application: Application, recorded: Mapping[str, float], request: Request) -> Habits:
    """What was recorded, or a guess: the stop of a PID 1 that ignores TERM takes its whole timeout, and a health check
    says nothing before its first interval is over."""
    stop = recorded.get("stop", _guessed_stop(application, request.stop_timeout))
    if request.action is Action.SNAPSHOT:
        return Habits(stop, recorded.get("resume", _guessed_resume(application)))
    start = recorded.get("start", _guessed_start(application))
    return Habits(stop, start, recorded.get("hand_over", HAND_OVER_SECONDS) if application.ports else 0.0)


def remembered(recorded: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """What to record after a move: one that was slow counts for half."""
    return {name: (seconds + recorded.get(name, seconds)) / 2 for name, seconds in now.items()}


def downtime(habits: Habits, survey: Survey, rounds: Sequence[Seen]) -> float:
    """The seconds from the beginning of the stop until the application is healthy again, at its old address, too."""
    return habits.stop + VERBS_SECONDS + last_pass(habits, survey, rounds) + habits.start + habits.hand_over


def last_pass(habits: Habits, survey: Survey, rounds: Sequence[Seen]) -> float:
    """The seconds that the copy within the stop and its verification will take."""
    if len(rounds) < 2:
        return survey.files / FILES_A_SECOND + survey.recent_bytes / rate(rounds)
    last, before = rounds[-1], rounds[-2]
    growth = (last.ended - last.began + habits.stop) / max(last.began - before.began, 0.01)
    sending = min(last.round.seconds, last.round.bytes / rate(rounds))
    return last.round.seconds - sending + (sending + last.verify_seconds) * min(growth, 1.0)


def rate(rounds: Sequence[Seen]) -> float:
    """The bytes a second of the round that sent the most."""
    most = max((seen.round for seen in rounds), key=lambda found: found.bytes, default=None)
    if most is None or not most.bytes or most.seconds <= 0:
        return USUAL_RATE
    return most.bytes / most.seconds


def is_ready(predictions: Sequence[float]) -> bool:
    """Whether another round would not shorten the downtime by much."""
    if len(predictions) >= MAX_ROUNDS:
        return True
    return len(predictions) > 1 and predictions[-1] > FALLS_ENOUGH * predictions[-2]


def next_moment(last: Seen, at: float) -> float:
    """When to go on if the application is to be stopped at the time `at`: then, or before it for another round. The
    last one begins just in time to end before."""
    just_before = at - READY_BEFORE * (last.ended - last.began)
    return at if last.began >= just_before else min(last.ended + PAUSE_BETWEEN_ROUNDS, just_before)


def before_stop(survey: Survey, image_bytes: int, bytes_a_second: float) -> float:
    """The seconds until everything has crossed once, and for what a move makes and asks besides. An engine takes in
    images more slowly than they come."""
    images = image_bytes / min(bytes_a_second, IMAGES_RATE)
    return AROUND_SECONDS + images + survey.bytes / bytes_a_second + survey.files / FILES_A_SECOND


def _guessed_stop(application: Application, stop_timeout: float | None) -> float:
    services = application.model.get("services", {})
    patience = [
        _seconds(services.get(container.service, {}).get("stop_grace_period"), IGNORED_TERM_SECONDS)
        for container in application.containers
        if container.ignores_term
    ]
    if not patience:
        return STOP_SECONDS
    return max(patience) if stop_timeout is None else stop_timeout


def _guessed_start(application: Application) -> float:
    """Health checks say nothing before their first interval is over; containers without one are watched a moment."""
    services = [application.model.get("services", {}).get(item.service, {}) for item in application.containers]
    checks = [service.get("healthcheck") or {} for service in services]
    first = [_first_check(check) for check in checks if check and not check.get("disable")]
    watched = SETTLING if len(first) < len(checks) and not application.wishes.probe else 0.0
    return START_SECONDS + CONTAINER_SECONDS * len(checks) + max([watched, *first])


def _guessed_resume(application: Application) -> float:
    """Its containers are still there."""
    return CONTAINER_SECONDS * (1 + len(application.containers))


def _first_check(check: Mapping[str, object]) -> float:
    interval = _seconds(check.get("interval"), HEALTH_INTERVAL)
    if not check.get("start_period"):
        return interval
    return min(interval, _seconds(check.get("start_interval"), START_INTERVAL))


def _seconds(text: object, default: float) -> float:
    """What Compose writes as a duration: `1m30s`, `1.5s`, `500ms`."""
    if not isinstance(text, str):
        return default
    parts = _DURATION.findall(text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else default
