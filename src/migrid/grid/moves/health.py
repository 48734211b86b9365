"""Whether an application that was just started is in order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..application import Container
from ..errors import UnhealthyError

MANY_RESTARTS = 3


def check(before: Sequence[Container], now: Sequence[Container]) -> tuple[str, ...]:
    """What is still waited for: nothing when everything runs that ran before.

    Raises UnhealthyError when waiting would not help: a container ended badly, restarts again and again, or its health
    check failed for good.
    """
    expected = {container.service for container in before if container.running}
    for container in now:
        if container.service in expected:
            _refuse_bad(container)
    missing = sorted(expected - {container.service for container in now})
    waiting = [_waiting(container) for container in now if container.service in expected]
    return (*(f"service {service} has no container" for service in missing), *filter(None, waiting))


def has_check(containers: Sequence[Container]) -> bool:
    """Whether every container that runs says itself that it is healthy."""
    return all(container.health for container in containers if container.running)


def _refuse_bad(container: Container) -> None:
    for problem in _problems(container):
        raise UnhealthyError(f"{container.name} {problem}; its log says more: docker logs {container.name}")


def _problems(container: Container) -> Iterator[str]:
    if container.health == "unhealthy":
        yield "is unhealthy, says its health check"
    if container.restart_count >= MANY_RESTARTS:
        yield f"was restarted {container.restart_count} times"
    if container.state in ("exited", "dead"):
        yield f"ended with exit status {container.exit_code}"


def _waiting(container: Container) -> str:
    if container.state != "running":
        return f"{container.name} is {container.state}"
    if container.health not in ("", "healthy"):
        return f"{container.name} is {container.health}"
    return ""
