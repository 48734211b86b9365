"""What forwards become: nginx's configuration, and the options that publish the old ports."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from migrid.grid import forward
from migrid.grid.application import Port
from migrid.grid.errors import EngineError
from migrid.grid.sides import Forward

MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
FORWARDS = (
    Forward(Port("web", 80, "tcp", 8080), "192.0.2.2", 8081),
    Forward(Port("dns", 53, "udp", 5353, "192.0.2.1"), "192.0.2.2", 53),
    Forward(Port("web", 443, "tcp", 443, "2001:db8::1"), "2001:db8::2", 8443),
    Forward(Port("web", 80, "tcp", 81), "localhost", 80),
)


def nginx() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if not found or not MODULE.exists():
        pytest.skip("nginx or libnginx-mod-stream is not installed")
    return found


def test_nginx_accepts_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(forward.configuration(FORWARDS).replace("/run/", f"{tmp_path}/"))
    done = subprocess.run([nginx(), "-t", "-e", "stderr", "-c", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_old_address_leads_to_a_port_of_the_container() -> None:
    assert forward.published(FORWARDS) == [
        *("--publish", "8080:10000"),
        *("--publish", "192.0.2.1:5353:10001/udp"),
        *("--publish", "[2001:db8::1]:443:10002"),
        *("--publish", "81:10003"),
    ]


def test_every_port_of_the_container_leads_to_the_new_address() -> None:
    text = forward.configuration(FORWARDS)
    assert [line.split() for line in text.splitlines() if "listen" in line or "proxy_pass" in line] == [
        ["listen", "10000", "so_keepalive=on;"],
        ["proxy_pass", "192.0.2.2:8081;"],
        ["listen", "10001", "udp;"],
        ["proxy_pass", "192.0.2.2:53;"],
        ["listen", "10002", "so_keepalive=on;"],
        ["proxy_pass", "[2001:db8::2]:8443;"],
        ["listen", "10003", "so_keepalive=on;"],
        ["proxy_pass", "localhost:80;"],
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        Forward(Port("web", 80, "tcp", 80), "192.0.2.2; } http {", 80),
        Forward(Port("web", 80, "tcp", 80), "192.0.2.2\n", 80),
        Forward(Port("web", 80, "tcp", 80), "unix:/var/run/docker.sock", 80),
        Forward(Port("web", 80, "tcp", 80), "", 80),
        Forward(Port("web", 80, "tcp", 80, "192.0.2.1:1:1 --privileged"), "192.0.2.2", 80),
        Forward(Port("web", 80, "sctp", 80), "192.0.2.2", 80),
        Forward(Port("web", 80, "tcp", 80), "192.0.2.2", 0),
        Forward(Port("web", 80, "tcp", 80), "192.0.2.2", 1 << 16),
    ],
)
def test_what_is_no_address_gets_nowhere(wrong: Forward) -> None:
    with pytest.raises(EngineError, match="cannot be forwarded"):
        forward.configuration([wrong])
