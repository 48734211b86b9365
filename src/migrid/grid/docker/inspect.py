"""What `docker inspect`, `docker info` and `docker version` print, as records of a grid. No I/O."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..application import Container, Definition, Image, Port

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
NUMBER = "com.docker.compose.container-number"
ONE_OFF = "com.docker.compose.oneoff"
DEPENDS_ON = "com.docker.compose.depends_on"
VOLUME = "com.docker.compose.volume"
CONFIG_HASH = "com.docker.compose.config-hash"
_WORKING_DIRECTORY = "com.docker.compose.project.working_dir"
_CONFIG_FILES = "com.docker.compose.project.config_files"
_ENVIRONMENT_FILES = "com.docker.compose.project.environment_file"

TOP_COLUMNS = "pid,caught,blocked,wchan:32,comm"
_INITS = ("tini", "docker-init", "dumb-init", "catatonit")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 -- how the engine writes "all addresses"
_NO_TIME = "0001-"
_REAL_TIME_MINIMUM = 34  # as the C library counts; the kernel starts at 32

Data = Mapping[str, Any]
"""One element of what `docker inspect` printed."""


@dataclass(frozen=True)
class Signals:
    """What a process does with signals, as masks: bit N-1 is signal N. `waits` is true when it sleeps until one comes,
    as an init process does; the masks do not show which."""

    caught: int
    blocked: int
    waits: bool = False

    def acts_on(self, number: int) -> bool:
        """Whether the process has a handler for the signal, or asks for it in another way."""
        return self.waits or bool((self.caught | self.blocked) >> (number - 1) & 1)


def labels(container: Data) -> Mapping[str, str]:
    """The labels of a container."""
    found: Mapping[str, str] | None = container["Config"].get("Labels")
    return found or {}


def is_one_off(container: Data) -> bool:
    """Whether `docker compose run` made the container."""
    return labels(container).get(ONE_OFF) == "True"


def is_running(container: Data) -> bool:
    state = container["State"]
    return bool(state.get("Running") or state.get("Paused") or state.get("Restarting"))


def container(data: Data, signals: Signals | None = None) -> Container:
    """A container of a Compose project. `signals` are those of its first process, where known."""
    known, state, config = labels(data), data["State"], data["Config"]
    return Container(
        id=data["Id"],
        name=data["Name"].lstrip("/"),
        service=known.get(SERVICE, ""),
        number=int(known.get(NUMBER) or 1),
        image_id=data["Image"],
        image=config["Image"],
        state=state["Status"],
        health=_health(state),
        exit_code=state["ExitCode"],
        restart_policy=_restart_policy(data["HostConfig"]["RestartPolicy"]),
        restart_count=data.get("RestartCount", 0),
        ignores_term=signals is not None and ignores_stop_signal(data, signals),
        started_at=_seconds(state["StartedAt"]),
        ports=tuple(ports(data)),
    )


def ports(data: Data) -> Iterator[Port]:
    """The ports that a container publishes; of one that does not run, the fixed ones that it would publish."""
    service = labels(data).get(SERVICE, "")
    running = is_running(data) and data["NetworkSettings"].get("Ports")
    bindings = running or data["HostConfig"].get("PortBindings") or {}
    seen = set()
    for key, hosts in sorted(bindings.items()):
        number, _, protocol = key.partition("/")
        for host in hosts or ():
            address = "" if host["HostIp"] in _EVERYWHERE else host["HostIp"]
            port = Port(service, int(number), protocol or "tcp", int(host["HostPort"] or 0), address)
            if port.host_port and port not in seen:
                seen.add(port)
                yield port


def ignores_stop_signal(data: Data, signals: Signals) -> bool:
    """Whether the first process of a container, which has these signals, is known to stay when told to stop.

    The kernel gives the first process of a PID namespace no default action, so a signal without a handler does nothing.
    """
    number = signal_number(data["Config"].get("StopSignal") or "SIGTERM")
    host = data["HostConfig"]
    first = not host.get("PidMode")
    return first and not host.get("Init") and number not in (0, signal.SIGKILL) and not signals.acts_on(number)


def signal_number(name: str) -> int:
    """The number of a signal as an image or a Compose file names it: SIGTERM, term, 15, SIGRTMIN+3; 0 if unknown."""
    text = name.upper().removeprefix("SIG")
    if text.isdigit():
        return int(text)
    if text.startswith("RTMIN"):
        offset = text.removeprefix("RTMIN").lstrip("+") or "0"
        return _REAL_TIME_MINIMUM + int(offset) if offset.isdigit() else 0
    return getattr(signal, f"SIG{text}", 0)


def signals_of(listing: str, pid: int) -> Signals | None:
    """The signals of a process from what `docker top` printed with TOP_COLUMNS; None if the process is not listed."""
    for line in listing.splitlines()[1:]:
        words = line.split(maxsplit=4)
        if len(words) == 5 and words[0] == str(pid):
            waits = "sigtimedwait" in words[3] or words[4] in _INITS
            return Signals(int(words[1], 16), int(words[2], 16), waits)
    return None


def definition(project: str, containers: Iterable[Data]) -> Definition:
    """The definition of a project from the labels of its containers, of which the newest knows best."""
    newest_first = sorted(containers, key=lambda item: str(item["Created"]), reverse=True)
    known = labels(newest_first[0])
    lasting = [labels(item).get(SERVICE, "") for item in newest_first if not is_one_off(item)]
    counts = {service: lasting.count(service) for service in sorted(set(lasting))}
    return Definition(
        name=project,
        directory=Path(known.get(_WORKING_DIRECTORY, "/")),
        files=tuple(map(Path, _listed(known.get(_CONFIG_FILES)))),
        env_files=tuple(map(Path, _listed(known.get(_ENVIRONMENT_FILES)))),
        services=tuple(counts),
        scale={service: count for service, count in counts.items() if count != 1},
    )


def image(data: Data, reference: str, services: Iterable[str]) -> Image:
    """An image that services run under this reference."""
    return Image(
        id=data["Id"],
        reference=reference,
        services=tuple(sorted(set(services))),
        layers=tuple(data["RootFS"].get("Layers") or ()),
        size=data["Size"],
        architecture=data["Architecture"] + (f"/{data['Variant']}" if data.get("Variant") else ""),
        os=data["Os"],
    )


def chain_ids(layers: Iterable[str]) -> tuple[str, ...]:
    """The chain identifier of each layer: what it is on top of those below it (OCI image specification, config.md)."""
    chain: list[str] = []
    for layer in layers:
        chain.append(_digest(f"{chain[-1]} {layer}") if chain else layer)
    return tuple(chain)


def keeps_layers(info: Data) -> bool:
    """Whether the engine's image store takes an archive without the layers that it has; containerd's does not."""
    return not any("containerd" in value for _, value in info.get("DriverStatus") or ())


def stop_waves(containers: Iterable[Data]) -> list[list[str]]:
    """The ids of containers in the order to stop them: first those on which no other that still runs depends."""
    left = {item["Id"]: item for item in containers}
    waves = []
    while left:
        needed = {name for item in left.values() for name in _needs(item)}
        wave = [key for key, item in left.items() if is_one_off(item) or labels(item).get(SERVICE) not in needed]
        waves.append(wave or list(left))
        for key in waves[-1]:
            del left[key]
    return waves


def _needs(data: Data) -> list[str]:
    """The services that a container's service depends on; `db:service_healthy:false,cache:service_started:true`."""
    needed = [entry.partition(":")[0] for entry in _listed(labels(data).get(DEPENDS_ON))]
    return [name for name in needed if name != labels(data).get(SERVICE)]


def _listed(text: str | None) -> list[str]:
    return [item for item in (text or "").split(",") if item]


def _health(state: Data) -> str:
    status = (state.get("Health") or {}).get("Status", "")
    return "" if status == "none" else status


def _restart_policy(policy: Data) -> str:
    name, count = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return f"{name}:{count}" if name == "on-failure" and count else name


def _seconds(time: str) -> float:
    return 0.0 if time.startswith(_NO_TIME) else datetime.fromisoformat(time).timestamp()


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
