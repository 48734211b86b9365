"""What a Compose file wishes of a move: the top-level `x-mig`, and labels of services that begin with `mig.`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..application import Hook, HookPoint, Page, Probe, Wishes
from ..errors import DefinitionError

LABEL = "mig."
REREADS = "mig.rereads_files"
"""The label of a service that notices by itself when a mounted file changes; others get a new container then."""
PAGE = "mig.page"
"""The label of the service that publishes the page of MIGCTL, with its port there."""

_NO_HOOKS = (REREADS, PAGE)
_KEYS = ("hooks", "probe", "page", "health_timeout", "present_everywhere")
_POINTS = tuple(point.value for point in HookPoint)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)
_WORDS = {True: ("true", "yes", "on", "1"), False: ("false", "no", "off", "0")}


def wishes(model: Mapping[str, Any]) -> Wishes:
    """The wishes in what Compose made of a definition. Raises DefinitionError, which names the key."""
    given = _mapping("x-mig", model.get("x-mig") or {}, _KEYS)
    services = model.get("services") or {}
    default = Wishes()
    return Wishes(
        hooks=(*_label_hooks(services), *_hooks(given.get("hooks") or {}, services)),
        probe=_probe(given["probe"], services) if given.get("probe") else None,
        page=_page(given["page"], services) if given.get("page") else _label_page(services),
        health_timeout=seconds("x-mig.health_timeout", given.get("health_timeout", default.health_timeout)),
        present_everywhere=_texts("x-mig.present_everywhere", given.get("present_everywhere") or ()),
    )


def rereading(model: Mapping[str, Any]) -> set[str]:
    """The services that need no new container when a file changes that is mounted into them."""
    labels = {name: settings.get("labels") or {} for name, settings in (model.get("services") or {}).items()}
    return {name for name, given in labels.items() if REREADS in given and _flag(f"{name}: {REREADS}", given[REREADS])}


def seconds(key: str, value: object) -> float:
    """A time of more than 0: a number of seconds, or a duration as Compose has them, as `90`, `90s` or `1m30s`."""
    match = _DURATION.fullmatch(str(value)) if not isinstance(value, bool) else None
    parts = match.groups(default="0") if match else ("0", "0", "0")
    total = int(parts[0]) * 3600 + int(parts[1]) * 60 + float(parts[2])
    if not total:
        raise DefinitionError(f"{key} is {value!r}; accepted is a time of more than 0, as 90, 90s or 1m30s.")
    return total


def _label_hooks(services: Mapping[str, Any]) -> Iterator[Hook]:
    for service, settings in sorted(services.items()):
        for label, value in sorted((settings.get("labels") or {}).items()):
            if label.startswith(LABEL) and label not in _NO_HOOKS:
                key = f"services.{service}.labels: {label}"
                point = _point(key, label.removeprefix(LABEL), LABEL)
                yield Hook(point, service, _command(key, value))


def _hooks(given: object, services: Mapping[str, Any]) -> Iterator[Hook]:
    for name, entries in _mapping("x-mig.hooks", given, _POINTS).items():
        if not isinstance(entries, list):
            raise DefinitionError(f"x-mig.hooks.{name} is {_kind(entries)}; accepted is a list of hooks.")
        for number, entry in enumerate(entries):
            yield _hook(f"x-mig.hooks.{name}[{number}]", HookPoint(name), entry, services)


def _hook(key: str, point: HookPoint, entry: object, services: Mapping[str, Any]) -> Hook:
    given = _mapping(key, entry, ("service", "command", "timeout", "required"))
    default = Hook(point, "", ())
    return Hook(
        point=point,
        service=_service(key, given.get("service"), services),
        command=_command(f"{key}.command", given.get("command")),
        timeout=seconds(f"{key}.timeout", given.get("timeout", default.timeout)),
        required=_flag(f"{key}.required", given.get("required", default.required)),
    )


def _probe(entry: object, services: Mapping[str, Any]) -> Probe:
    given = _mapping("x-mig.probe", entry, ("service", "port", "path"))
    port, path = _port("x-mig.probe.port", given.get("port")), given.get("path") or ""
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise DefinitionError(f"x-mig.probe.path is {path!r}; accepted is a path of HTTP, as /health.")
    return Probe(_service("x-mig.probe", given.get("service"), services), port, path)


def _page(entry: object, services: Mapping[str, Any]) -> Page:
    given = _mapping("x-mig.page", entry, ("service", "port"))
    return Page(_service("x-mig.page", given.get("service"), services), _port("x-mig.page.port", given.get("port")))


def _label_page(services: Mapping[str, Any]) -> Page | None:
    labels = {service: settings.get("labels") or {} for service, settings in services.items()}
    ports = {service: given[PAGE] for service, given in sorted(labels.items()) if PAGE in given}
    if len(ports) > 1:
        raise DefinitionError(f"The label {PAGE} is at the services {', '.join(ports)}; accepted is one of them.")
    return next((Page(name, _port(f"services.{name}.labels: {PAGE}", port)) for name, port in ports.items()), None)


def _port(key: str, value: object) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise DefinitionError(f"{key} is {value!r}; accepted is the port in the container.")
    return int(text)


def _mapping(key: str, value: object, accepted: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DefinitionError(f"{key} is {_kind(value)}; accepted is a mapping with the keys {', '.join(accepted)}.")
    for name in value:
        if name not in accepted:
            raise DefinitionError(f"{key} has the unknown key {name!r}; accepted are {', '.join(accepted)}.")
    return value


def _point(key: str, name: str, prefix: str) -> HookPoint:
    if name not in _POINTS:
        accepted = ", ".join(f"{prefix}{point}" for point in _POINTS)
        raise DefinitionError(f"{key} is unknown; accepted are {accepted}.")
    return HookPoint(name)


def _service(key: str, value: object, services: Mapping[str, Any]) -> str:
    if not isinstance(value, str) or value not in services:
        raise DefinitionError(f"{key}.service is {value!r}; accepted are the services {', '.join(sorted(services))}.")
    return value


def _command(key: str, value: object) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise DefinitionError(f"{key} cannot be read as words of a command: {error}.") from error
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise DefinitionError(f"{key} is {_kind(value)}; accepted is a command, as text or as a list of words.")
    return tuple(words)


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise DefinitionError(f"{key} is {_kind(value)}; accepted is a list of paths and names of volumes.")
    return tuple(value)


def _flag(key: str, value: object) -> bool:
    for flag, words in _WORDS.items():
        if str(value).lower() in words:
            return flag
    raise DefinitionError(f"{key} is {value!r}; accepted are true and false.")


def _kind(value: object) -> str:
    """What was given instead of what is accepted."""
    if value is None or value in ("", [], {}):
        return "empty"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), "a mapping")
