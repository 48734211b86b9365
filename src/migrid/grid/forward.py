"""Old addresses that go on answering: for each application that moved away, one container with nginx sends on what
comes in at the ports that it had here.

TCP and UDP are passed on as they are, so TLS and every protocol work. The application sees this grid's address in
place of the client's.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence

from . import names, records
from .docker.cli import DockerCli, said
from .errors import EngineError
from .sides import Forward

APP_LABEL = "mig.forward"
FORWARDS_LABEL = "mig.forwards"

_ADDRESS = re.compile(r"[0-9A-Za-z.-]{1,253}|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_FIRST_PORT = 10000
_READY_SECONDS = 15.0
_POLL_SECONDS = 0.05
_CONFIGURATION = "/run/nginx.conf"
_PID = "/run/nginx.pid"
_START = f'printf %s "$MIG_FORWARD" >{_CONFIGURATION} && exec nginx -e stderr -c {_CONFIGURATION}'
_CONFINED = (
    *("--pull", "never", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
    *("--user", "65534:65534", "--tmpfs", "/run:mode=1777", "--tmpfs", "/var/lib/nginx:mode=1777"),
)

_HEAD = f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 2;
pid {_PID};
error_log stderr warn;
events {{
    worker_connections 4096;
}}
stream {{
    access_log off;
    proxy_connect_timeout 10s;
    proxy_socket_keepalive on;
"""
_TCP = """\
    server {{
        listen {port} so_keepalive=on;
        proxy_timeout 1d;
        proxy_half_close on;
        proxy_pass {target};
    }}
"""
_UDP = """\
    server {{
        listen {port} udp;
        proxy_timeout 1m;
        proxy_pass {target};
    }}
"""


def configuration(forwards: Sequence[Forward]) -> str:
    """nginx's configuration: the n-th forward comes in at the n-th port of the container.

    Raises EngineError when an address could be something else than one: the target grid says what it is.
    """
    for forward in forwards:
        _check(forward)
    servers = (
        (_UDP if forward.port.protocol == "udp" else _TCP).format(port=port, target=_target(forward))
        for port, forward in enumerate(forwards, _FIRST_PORT)
    )
    return f"{_HEAD}{''.join(servers)}}}\n"


def published(forwards: Iterable[Forward]) -> list[str]:
    """The options of `docker run` that let the ports of the old address lead to those of the container."""
    pairs = enumerate(forwards, _FIRST_PORT)
    return [
        word for port, forward in pairs for word in ("--publish", f"{_old_address(forward)}:{port}{_kind(forward)}")
    ]


class DockerForwarder:
    """A `forwarding.Forwarder` on a Docker Engine."""

    def __init__(self, cli: DockerCli, helper_image: str) -> None:
        self._cli = cli
        self._image = helper_image

    def all(self) -> Mapping[str, tuple[Forward, ...]]:
        """What is forwarded here, for each application."""
        ids = self._cli.lines("ps", "--all", "--quiet", "--filter", f"label={APP_LABEL}")
        labels = [item["Config"]["Labels"] for item in self._cli.inspect("container", ids)]
        return {found[APP_LABEL]: _read(found[FORWARDS_LABEL]) for found in labels}

    def forwards(self, app: str) -> tuple[Forward, ...]:
        found = self._cli.inspect("container", [container_name(app)])
        return _read(found[0]["Config"]["Labels"][FORWARDS_LABEL]) if found else ()

    def start(self, app: str, forwards: Sequence[Forward]) -> None:
        if self._runs(app) and self.forwards(app) == tuple(forwards):
            return
        self.end(app)
        if forwards:
            try:
                self._cli.run(*self._command(app, tuple(forwards)))
                self._wait(app)
            except BaseException:
                self.end(app)
                raise

    def end(self, app: str) -> None:
        if self._cli.inspect("container", [container_name(app)]):
            self._cli.run("rm", "--force", container_name(app))

    def _command(self, app: str, forwards: tuple[Forward, ...]) -> list[str]:
        if not self._image:
            raise EngineError(
                "This grid's configuration names no helper image; the playbook playbooks/grids.yml sets it."
            )
        known = json.dumps(records.to_data(forwards), separators=(",", ":"))
        labels = ("--label", f"{APP_LABEL}={app}", "--label", f"{FORWARDS_LABEL}={known}")
        settings = ("--env", f"MIG_FORWARD={configuration(forwards)}", "--restart", "always")
        start = ("--entrypoint", "sh", self._image, "-c", _START)
        return [
            "run",
            "--detach",
            "--name",
            container_name(app),
            *labels,
            *_CONFINED,
            *settings,
            *published(forwards),
            *start,
        ]

    def _runs(self, app: str) -> bool:
        found = self._cli.inspect("container", [container_name(app)])
        return bool(found) and bool(found[0]["State"]["Running"])

    def _wait(self, app: str) -> None:
        """Until nginx has opened its ports. What it complains of is in its log."""
        deadline = time.monotonic() + _READY_SECONDS
        while self._cli.try_("exec", container_name(app), "test", "-s", _PID).status:
            if time.monotonic() > deadline:
                log = self._cli.try_("logs", "--tail", "5", container_name(app))
                raise EngineError(
                    f"The old address of {app} cannot go on answering: {said(log.errors) or 'nginx hangs'}"
                )
            time.sleep(_POLL_SECONDS)


def container_name(app: str) -> str:
    return f"mig_forward_{names.application(app)}"


def _read(text: str) -> tuple[Forward, ...]:
    return records.from_data(tuple[Forward, ...], json.loads(text))


def _check(forward: Forward) -> None:
    address, port = forward.address, forward.port
    if not _ADDRESS.fullmatch(address) or (port.host_address and not _ADDRESS.fullmatch(port.host_address)):
        raise EngineError(f"Port {port.host_port} cannot be forwarded to {address!r}: that is no address.")
    if not 0 < forward.target_port < 1 << 16:
        raise EngineError(f"Port {port.host_port} cannot be forwarded to port {forward.target_port}: that is none.")
    if port.protocol not in ("tcp", "udp"):
        raise EngineError(f"Port {port.host_port} cannot be forwarded: {port.protocol!r} is neither tcp nor udp.")


def _target(forward: Forward) -> str:
    return f"{_bracketed(forward.address)}:{forward.target_port}"


def _old_address(forward: Forward) -> str:
    address = f"{_bracketed(forward.port.host_address)}:" if forward.port.host_address else ""
    return f"{address}{forward.port.host_port}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _kind(forward: Forward) -> str:
    return "/udp" if forward.port.protocol == "udp" else ""
