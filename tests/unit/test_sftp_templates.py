"""Renders the role sftp for several inventories, and asks the real sshd what the configuration means."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLES = Path(__file__).parents[2] / "roles"
FAMILIES = {
    "Debian 13": ("Debian", {"distribution": "Debian", "distribution_version": "13.2"}),
    "Debian 12": ("Debian", {"distribution": "Debian", "distribution_version": "12"}),
    "Ubuntu 24.04": ("Debian", {"distribution": "Ubuntu", "distribution_version": "24.04"}),
    "Red Hat 9": ("RedHat", {"distribution": "Rocky", "distribution_major_version": "9"}),
}
BOTH_PORTS = {"mig_enable_sftp": True, "mig_enable_sftp_subsys": True}
STRONG = {
    "kexalgorithms": {
        "mlkem768x25519-sha256",
        "sntrup761x25519-sha512",
        "sntrup761x25519-sha512@openssh.com",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
    },
    "ciphers": {
        "chacha20-poly1305@openssh.com",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    },
    "macs": {
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "umac-128-etm@openssh.com",
    },
}
Files = dict[str, str]
Render = Callable[..., Files]


def program(name: str) -> str:
    """Where a program is that may be in the directories of root's."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"the tests need {name}: apt-get install openssh-server"
    return found


@pytest.fixture(scope="module")
def evaluate(ansible_plugins: None) -> Callable[..., Any]:
    """Evaluate one variable of the role on a host of a distribution, for an inventory."""
    loader = DataLoader()

    def evaluate(name: str, host: str = "Debian 13", **inventory: Any) -> Any:
        family, facts = FAMILIES[host]
        variables: dict[str, Any] = {}
        for file in ("mig/defaults/main", "sftp/defaults/main", "sftp/vars/main", f"sftp/vars/{family}"):
            variables |= loader.load_from_file(str(ROLES / f"{file}.yml"), trusted_as_template=True)
        variables |= {"ansible_facts": facts, "ansible_search_path": [str(ROLES / "sftp")]} | BOTH_PORTS | inventory
        return Templar(loader, variables).template(variables[name])

    return evaluate


@pytest.fixture(scope="module")
def render(evaluate: Callable[..., Any]) -> Render:
    """All files of the role, by path."""

    def render(host: str = "Debian 13", **inventory: Any) -> Files:
        return {file["path"]: file["content"] for file in evaluate("__sftp_files", host, **inventory)}

    return render


@dataclass
class Sshd:
    """The real sshd, with host keys of its own."""

    keys: Path
    render: Render

    def configuration(self, **inventory: Any) -> Path:
        files = self.render("Debian 12", **{"mig_group": "root", **inventory}, __sftp_host_keys=str(self.keys))
        path = self.keys / "sshd_config"
        path.write_text(files["sshd_config"])
        return path

    def run(self, configuration: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run sshd on a configuration, with the empty directory in /run that it wants."""
        namespace = 'mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd && exec "$@"'
        sshd = [program("sshd"), "-f", str(configuration), *arguments]
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", namespace, "sh", *sshd]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def effective(self, **inventory: Any) -> dict[str, list[str]]:
        """The values that hold for a user's session, by option in lower case."""
        done = self.run(self.configuration(**inventory), "-T", "-C", "user=ada@example.org,host=client,addr=192.0.2.1")
        assert done.returncode == 0, done.stderr
        options: dict[str, list[str]] = {}
        for line in done.stdout.splitlines():
            name, _, value = line.partition(" ")
            options.setdefault(name, []).append(value)
        return options


@pytest.fixture(scope="module")
def sshd(render: Render, tmp_path_factory: pytest.TempPathFactory) -> Sshd:
    keys = tmp_path_factory.mktemp("keys")
    for kind in ("ed25519", "rsa"):
        key = keys / f"ssh_host_{kind}_key"
        subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", str(key)], check=True)
    return Sshd(keys, render)


@pytest.fixture(scope="module")
def effective(sshd: Sshd) -> dict[str, list[str]]:
    return sshd.effective()


@pytest.mark.parametrize(
    ("switches", "ports"),
    [
        ({"mig_enable_sftp": True, "mig_enable_sftp_subsys": False}, [2222]),
        ({"mig_enable_sftp": False, "mig_enable_sftp_subsys": True}, [22222]),
        ({"mig_sftp_port": 2022, "mig_sftp_subsys_port": 22}, [2022, 22]),
        ({"mig_sftp_port": 2222, "mig_sftp_subsys_port": 2222}, [2222]),
    ],
)
def test_listens_on_the_ports_that_are_switched_on(sshd: Sshd, switches: dict[str, Any], ports: list[int]) -> None:
    assert [int(port) for port in sshd.effective(**switches)["port"]] == ports


def test_listens_on_the_addresses_given(sshd: Sshd) -> None:
    listening = sshd.effective(sftp_listen_addresses=["192.0.2.7"])["listenaddress"]
    assert sorted(listening) == ["192.0.2.7:2222", "192.0.2.7:22222"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("disableforwarding", "yes"),
        ("allowtcpforwarding", "no"),
        ("allowstreamlocalforwarding", "no"),
        ("allowagentforwarding", "no"),
        ("x11forwarding", "no"),
        ("permittunnel", "no"),
        ("permittty", "no"),
        ("permituserrc", "no"),
        ("permituserenvironment", "no"),
        ("permitemptypasswords", "no"),
        ("permitrootlogin", "no"),
        ("kbdinteractiveauthentication", "no"),
        ("hostbasedauthentication", "no"),
        ("gssapiauthentication", "no"),
        ("strictmodes", "yes"),
        ("usepam", "yes"),
        ("usedns", "no"),
        ("compression", "no"),
        ("banner", "none"),
        ("chrootdirectory", "/run/grid_sftp"),
        ("forcecommand", "internal-sftp -d /data -u 0077 -l ERROR"),
        ("authorizedkeysfile", "/var/lib/migrid/accounts/keys/%u"),
        ("allowgroups", "root"),
        ("requiredrsasize", "2048"),
    ],
)
def test_a_session_is_confined(effective: dict[str, list[str]], option: str, value: str) -> None:
    assert effective[option] == [value]


@pytest.mark.parametrize("option", STRONG)
def test_only_strong_algorithms_are_offered(effective: dict[str, list[str]], option: str) -> None:
    offered = set(effective[option][0].split(","))
    assert offered
    assert offered <= STRONG[option]


def test_a_post_quantum_key_exchange_comes_first(effective: dict[str, list[str]]) -> None:
    assert effective["kexalgorithms"][0].startswith(("sntrup761", "mlkem768"))


def test_settings_of_the_inventory_reach_sshd(sshd: Sshd) -> None:
    changed = sshd.effective(
        sftp_max_auth_tries=4,
        sftp_login_grace_time=45,
        sftp_max_startups="5:50:9",
        sftp_max_sessions=3,
        sftp_umask="0027",
        sftp_transfer_log_level="INFO",
        mig_log_level="debug",
    )
    assert changed["maxauthtries"] == ["4"]
    assert changed["logingracetime"] == ["45"]
    assert changed["maxstartups"] == ["5:50:9"]
    assert changed["maxsessions"] == ["3"]
    assert changed["forcecommand"] == ["internal-sftp -d /data -u 0027 -l INFO"]
    assert changed["loglevel"] == ["DEBUG"]


def test_sshd_refuses_a_value_that_is_none(sshd: Sshd) -> None:
    refused = sshd.run(sshd.configuration(sftp_ciphers="rot13"), "-t")
    assert refused.returncode != 0
    assert "rot13" in refused.stderr


@pytest.mark.parametrize(
    ("host", "has"), [("Debian 13", True), ("Debian 12", False), ("Ubuntu 24.04", False), ("Red Hat 9", False)]
)
def test_penalties_only_where_sshd_knows_them(render: Render, host: str, has: bool) -> None:
    assert ("PerSourcePenalties" in render(host)["sshd_config"]) is has


@pytest.mark.parametrize("host", FAMILIES)
def test_every_file_says_where_it_comes_from(render: Render, host: str) -> None:
    unmarked = [path for path, text in render(host).items() if "# Managed by Ansible: " not in text]
    assert unmarked == []


def test_homes_are_bound_from_the_state_directory(render: Render) -> None:
    unit = render(mig_home="/srv/mig", mig_state="/srv/mig/state")["/etc/systemd/system/grid_sftp.service"]
    lines = unit.splitlines()
    bound = {line.partition("=")[2] for line in lines if line.startswith("BindPaths=")}
    assert bound == {f"/srv/mig/state/{name}" for name in ("user_home", "log", "mig_system_run", "user_db_home")}
    assert "TemporaryFileSystem=/srv/mig:ro" in lines
    assert {"PartOf=migrid.target", "WantedBy=migrid.target"} <= set(lines)


def test_the_unit_mounts_every_file_that_needs_a_restart(render: Render, evaluate: Callable[..., Any]) -> None:
    files = render()
    unit = files["/etc/systemd/system/grid_sftp.service"]
    mounted = {path for path in files if f"=/etc/migrid/sftp/{path}:/{path}" in unit}
    assert set(files) - mounted - {evaluate("__sftp_unit")} == set(evaluate("__sftp_reloaded_files"))


def test_nothing_is_served_with_both_ports_switched_off(evaluate: Callable[..., Any]) -> None:
    off = {"mig_enable_sftp": False, "mig_enable_sftp_subsys": False}
    assert evaluate("__sftp_enabled", **off) is False
