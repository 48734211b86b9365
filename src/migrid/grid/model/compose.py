"""What a model engine makes of Compose files: those that are JSON, with the keys that moves look at."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..application import Definition
from ..errors import DefinitionError

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\$)", re.ASCII)


def resolve(definition: Definition) -> dict[str, Any]:
    """The model of a project, as `docker compose config --format json` has it. Raises DefinitionError."""
    variables = _variables(definition)
    merged: dict[str, Any] = {}
    for path in definition.files:
        merged = _merge(merged, _load(path, variables))
    project = definition.name
    services = {name: _service(settings, definition.directory) for name, settings in merged.get("services", {}).items()}
    volumes = {key: _named(project, key, settings) for key, settings in merged.get("volumes", {}).items()}
    networks = {
        key: _named(project, key, settings) for key, settings in (merged.get("networks") or {"default": {}}).items()
    }
    return {**merged, "name": project, "services": services, "volumes": volumes, "networks": networks}


def _load(path: Path, variables: Mapping[str, str]) -> Any:
    try:
        return json.loads(_VARIABLE.sub(lambda match: _value(match, variables), path.read_text()))
    except (OSError, ValueError) as error:
        raise DefinitionError(f"Compose cannot read {path}: {error}") from error


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    if match[3]:
        return "$"
    return variables.get(match[1]) or match[2] or ""


def _variables(definition: Definition) -> dict[str, str]:
    """The properties, as `properties.environment` writes them and people do."""
    files = definition.env_files or (definition.directory / ".env",)
    found: dict[str, str] = {}
    for path in files:
        if not path.is_file() and definition.env_files:
            raise DefinitionError(f"Compose cannot find the environment file {path}.")
        for line in path.read_text().splitlines() if path.is_file() else ():
            name, separator, value = line.partition("=")
            if separator:
                found[name] = value.strip('"')
    return found


def _merge(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: _merge(one[key], value) if key in one else value for key, value in other.items()}
    return other


def _service(settings: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    mounts = [_mount(item, directory) for item in settings.get("volumes", ())]
    ports = [_port(item) for item in settings.get("ports", ())]
    return {**settings, "volumes": mounts, "ports": ports}


def _mount(item: Any, directory: Path) -> Any:
    if not isinstance(item, str):
        return {**item, "source": str(directory / item["source"])} if item.get("type") == "bind" else item
    source, _, target = item.partition(":")
    return {"type": "volume", "source": source, "target": target}


def _port(item: Any) -> Any:
    if not isinstance(item, str):
        return item
    published, _, target = item.partition(":")
    number, _, protocol = target.partition("/")
    return {"target": int(number), "published": published, "protocol": protocol or "tcp", "mode": "ingress"}


def _named(project: str, key: str, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(settings or {})
    external = bool(given.get("external"))
    return {"name": key if external else f"{project}_{key}", **given}
