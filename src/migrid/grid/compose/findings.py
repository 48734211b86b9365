"""What an application's definition and containers say about a move: what cannot travel, and what will be different.

Each check is a function from a `Subject` to findings. No I/O: what only the engine can tell is in `docker.examine`.
"""

from __future__ import annotations

import ipaddress
import pwd
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..application import Container, Definition, Finding, Image, Level, Tree, TreeKind, Wishes
from ..docker.volumes import MOUNTED, is_anonymous, is_own

_HOST_PATHS = tuple(
    Path(path)
    for path in (
        *("/etc/localtime", "/etc/timezone", "/etc/machine-id", "/usr/share/zoneinfo"),
        *("/var/run/docker.sock", "/run/docker.sock", "/dev", "/proc", "/sys"),
    )
)
_SYSTEM_DIRECTORIES = tuple(
    Path(path)
    for path in ("/", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var", "/var/lib")  # noqa: S108
)
_FIRST_ACCOUNT, _NOBODY = 1000, 65534


@dataclass(frozen=True)
class Subject:
    """An application as the checks see it. `services` are the settings of those that have containers."""

    definition: Definition
    managed: bool
    model: Mapping[str, Any]
    containers: tuple[Container, ...]
    trees: tuple[Tree, ...]
    images: tuple[Image, ...]
    wishes: Wishes

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        declared = self.model.get("services") or {}
        existing = {container.service for container in self.containers} or set(declared)
        return {name: settings for name, settings in sorted(declared.items()) if name in existing}

    def belongs(self, path: Path) -> bool:
        """Whether the path travels with the project directory, or this grid gives it to the application."""
        grids_own = self.managed and path.parent == self.definition.directory.parent
        return grids_own or path.is_relative_to(self.definition.directory)

    def is_everywhere(self, name: str) -> bool:
        """Whether the operator says that a path, or the volume with this key, is on every grid."""
        listed = self.wishes.present_everywhere
        return name in listed or any(
            Path(name).is_relative_to(item) for item in listed if item.startswith("/") and name.startswith("/")
        )


Check = Callable[[Subject], Iterator[Finding]]


def findings(subject: Subject) -> tuple[Finding, ...]:
    """All findings, in the order of the checks."""
    return tuple(found for check in CHECKS for found in check(subject))


def project_directory(subject: Subject) -> Iterator[Finding]:
    directory = subject.definition.directory
    if directory in _SYSTEM_DIRECTORIES or directory in _homes():
        text = f"The project directory is {directory}, and all that is in it would travel."
        yield _blocks("project_directory", text, "Give the application a directory of its own.")


def definition_files(subject: Subject) -> Iterator[Finding]:
    for path in (*subject.definition.files, *subject.definition.env_files):
        if not subject.belongs(path):
            text = f"{path} belongs to the definition and is outside of {subject.definition.directory}."
            yield _blocks("definition_files", text, _move_inside(subject))


def containers(subject: Subject) -> Iterator[Finding]:
    if not subject.containers:
        yield _blocks(
            "containers",
            "The application has no containers, so nobody knows which images it runs.",
            f"Start it once: mig-grid start {subject.definition.name}",
        )
    if not any(container.running for container in subject.containers):
        return
    for container in subject.containers:
        if not container.running and container.exit_code:
            text = f"{container.name} does not run (exit status {container.exit_code}), and will be started."
            yield _warns("containers", text, f"See why: docker logs {container.name}")
        elif container.health == "unhealthy" or container.state == "restarting":
            text = f"{container.name} is {container.health or container.state}; on the target it may be so too."
            yield _warns("containers", text, f"See why: docker logs {container.name}")


def bind_mounts(subject: Subject) -> Iterator[Finding]:
    for service, mount in _mounts(subject, "bind"):
        source = Path(mount["source"])
        if subject.belongs(source) or subject.is_everywhere(str(source)):
            continue
        if any(source.is_relative_to(path) for path in _HOST_PATHS):
            text = f"{service} mounts {source} of the host; on the target it gets that host's."
            yield _warns("bind_mounts", text)
        else:
            text = f"{service} mounts {source}, which is outside of the project directory and does not travel."
            yield _blocks(
                "bind_mounts", text, f"{_move_inside(subject)} Or, if every grid has it, {_say_everywhere(str(source))}"
            )


def secrets(subject: Subject) -> Iterator[Finding]:
    for kind in ("secrets", "configs"):
        for key, settings in sorted(_used(subject, kind)):
            yield from _secret(subject, f"The {kind.removesuffix('s')} {key}", settings)


def images(subject: Subject) -> Iterator[Finding]:
    present = {image.id for image in subject.images}
    for container in subject.containers:
        if container.image_id not in present:
            text = f"The image of {container.name} is not on this grid any more."
            remedy = f"Keep what it runs: docker commit {container.name} {container.image}"
            yield _blocks("images", text, remedy)
    for image in subject.images:
        if "@" in image.reference:
            text = f"{', '.join(image.services)} runs {image.reference}; on the target the image has its id only."
            yield _ok("images", text)


def anonymous_volumes(subject: Subject) -> Iterator[Finding]:
    scaled = {container.service for container in subject.containers if container.number > 1}
    for tree in filter(is_anonymous, subject.trees):
        service = tree.labels.get(MOUNTED, "").partition(":")[0]
        if service not in scaled:
            yield _ok("anonymous_volumes", f"An anonymous volume travels as the named volume {tree.name}.")
        else:
            text = f"{service} has several containers, each with an anonymous volume; Compose cannot give these names."
            remedy = f"Scale it to one container: docker compose up --detach --scale {service}=1"
            yield _blocks("anonymous_volumes", text, remedy)


def volumes(subject: Subject) -> Iterator[Finding]:
    used = {mount.get("source") for _, mount in _mounts(subject, "volume")}
    for key, settings in sorted((subject.model.get("volumes") or {}).items()):
        if key in used:
            yield from _volume(subject, key, settings)


def ports(subject: Subject) -> Iterator[Finding]:
    for service, settings in subject.services.items():
        for port in settings.get("ports") or ():
            what = f"port {port['target']}/{port.get('protocol', 'tcp')} of {service}"
            if not port.get("published"):
                text = f"The engine chooses where {what} is published, and will choose another place."
                yield _warns("ports", text, "Publish it at a fixed port.")
            if not _is_common(port.get("host_ip") or ""):
                text = f"The address {port['host_ip']}, at which {what} is published, is one of this host."
                yield _warns("ports", text, "Let the address be a property, and set it in the target's app_config.")


def networks(subject: Subject) -> Iterator[Finding]:
    for key, settings in sorted(_used(subject, "networks")):
        name, driver = settings.get("name", key), settings.get("driver") or "bridge"
        subnets = ", ".join(_subnets(settings))
        if settings.get("external"):
            yield _warns("networks", f"The network {name} is external: it has to be on the target.")
        elif driver != "bridge":
            yield _warns("networks", f"The network {key} has the driver {driver}; the target must have the same.")
        elif subnets:
            yield _ok("networks", f"The network {key} keeps its addresses: {subnets}.")


def namespaces(subject: Subject) -> Iterator[Finding]:
    for service, settings in subject.services.items():
        yield from _namespaces(service, settings)
        for other in (*(settings.get("volumes_from") or ()), *(settings.get("external_links") or ())):
            if "container:" in other or other in (settings.get("external_links") or ()):
                text = f"{service} depends on the container {other.removeprefix('container:')} of somebody else."
                yield _blocks("namespaces", text, "Make that container a service of the application.")


def devices(subject: Subject) -> Iterator[Finding]:
    for service, settings in subject.services.items():
        resources = ((settings.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
        if settings.get("devices") or settings.get("gpus") or resources.get("devices"):
            yield _warns("devices", f"{service} uses devices of the host; the target must have the same.")


def container_names(subject: Subject) -> Iterator[Finding]:
    for service, settings in subject.services.items():
        if settings.get("container_name"):
            text = f"The container of {service} keeps its fixed name {settings['container_name']}."
            yield _ok("container_names", text)


def profiles(subject: Subject) -> Iterator[Finding]:
    missing = sorted(set(subject.model.get("services") or {}) - set(subject.services))
    if missing:
        yield _ok("profiles", f"{', '.join(missing)}: no containers here, so none on the target.")


def stopping(subject: Subject) -> Iterator[Finding]:
    for container in subject.containers:
        if container.ignores_term:
            text = f"The first process of {container.name} ignores the signal that stops it: the stop takes its whole"
            remedy = f"Set `init: true` for {container.service}, or handle the signal."
            yield _warns("stopping", f"{text} timeout, and ends with SIGKILL.", remedy)


CHECKS: tuple[Check, ...] = (
    project_directory,
    definition_files,
    containers,
    bind_mounts,
    secrets,
    images,
    anonymous_volumes,
    volumes,
    ports,
    networks,
    namespaces,
    devices,
    container_names,
    profiles,
    stopping,
)


def _secret(subject: Subject, what: str, settings: Mapping[str, Any]) -> Iterator[Finding]:
    path = settings.get("file")
    if settings.get("external"):
        text = f"{what} is external, and Compose has no access to it on the target."
        yield _blocks("secrets", text, "Take it from a file in the project directory.")
    elif settings.get("environment"):
        text = f"{what} is the value of the variable {settings['environment']}."
        yield _warns("secrets", text, f"Make {settings['environment']} a property of the application.")
    elif path and not subject.belongs(Path(path)) and not subject.is_everywhere(path):
        text = f"{what} is in {path}, which is outside of the project directory and does not travel."
        yield _blocks("secrets", text, _move_inside(subject))


def _volume(subject: Subject, key: str, settings: Mapping[str, Any]) -> Iterator[Finding]:
    options, driver = settings.get("driver_opts") or {}, settings.get("driver") or "local"
    tree = next((tree for tree in subject.trees if tree.name == key and tree.kind is TreeKind.VOLUME), None)
    if tree:
        options, driver = tree.driver_options, tree.driver
    everywhere = subject.is_everywhere(key) or subject.is_everywhere(options.get("device") or key)
    if key == "project":
        yield _blocks("volumes", "A volume is called `project`, as the project directory is.", "Rename the volume.")
    elif options.get("type") == "tmpfs":
        yield _ok("volumes", f"The volume {key} is in memory and starts empty on the target.")
    elif not everywhere and (not is_own(driver, options) or (settings.get("external") and tree is None)):
        place = options.get("device") or ("some other place" if driver == "local" else f"the care of {driver}")
        text = f"The files of the volume {key} are in {place}, not with the engine."
        yield _blocks("volumes", text, f"If both grids reach the same files, {_say_everywhere(key)}")
    elif settings.get("external"):
        text = f"The volume {settings.get('name', key)} is external: it is copied, and also stays here."
        yield _warns("volumes", text)


def _namespaces(service: str, settings: Mapping[str, Any]) -> Iterator[Finding]:
    if settings.get("privileged"):
        yield _warns("namespaces", f"{service} is privileged: it can depend on anything of its host.")
    for key in ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup"):
        mode = settings.get(key) or ""
        if mode == "host":
            yield _warns("namespaces", f"{service} has `{key}: host`: what it finds there is the target's.")
        elif mode.startswith("container:"):
            text = f"{service} has `{key}: {mode}`, a container that does not belong to the application."
            yield _blocks("namespaces", text, "Make that container a service of the application.")


def _mounts(subject: Subject, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for service, settings in subject.services.items():
        for mount in settings.get("volumes") or ():
            if mount["type"] == kind:
                yield service, mount


def _used(subject: Subject, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The top-level secrets, configs or networks that existing services use."""
    declared, used = subject.model.get(kind) or {}, set()
    for settings in subject.services.values():
        entries: Iterable[Any] = settings.get(kind) or ()
        used |= {entry if isinstance(entry, str) else entry["source"] for entry in entries}
    for key in used & set(declared):
        yield key, declared[key] or {}


def _subnets(network: Mapping[str, Any]) -> list[str]:
    return [pool["subnet"] for pool in (network.get("ipam") or {}).get("config") or () if pool.get("subnet")]


def _is_common(address: str) -> bool:
    """Whether any host has the address."""
    if not address:
        return True
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_unspecified


def _homes() -> set[Path]:
    accounts = (account for account in pwd.getpwall() if _FIRST_ACCOUNT <= account.pw_uid < _NOBODY)
    return {Path(account.pw_dir) for account in accounts}


def _move_inside(subject: Subject) -> str:
    return f"Move it into {subject.definition.directory}, and name it relative to that."


def _say_everywhere(name: str) -> str:
    return f"say so in the Compose file: x-mig: {{present_everywhere: [{name}]}}"


def _ok(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, Level.OK, text, remedy)


def _warns(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, Level.WARNS, text, remedy)


def _blocks(check: str, text: str, remedy: str = "") -> Finding:
    return Finding(check, Level.BLOCKS, text, remedy)
