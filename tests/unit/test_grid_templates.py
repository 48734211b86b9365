"""The files of the role grid as an inventory makes them, read by the programs that use them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar, trust_as_template

from migrid.grid.state import Owner, Peer, State

PROJECT = Path(__file__).parents[2]
ROLES = PROJECT / "roles"
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin") or "sshd"
Files = dict[str, str]
Render = Callable[..., Files]

DEBIAN: dict[str, Any] = {"distribution": "Debian", "distribution_major_version": "13", "os_family": "Debian"}
ROCKY: dict[str, Any] = {"distribution": "Rocky", "distribution_major_version": "9", "os_family": "RedHat"}


def public_key(directory: Path, kind: str = "ed25519") -> str:
    name = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", name], check=True)
    content = " ".join(name.with_name("key.pub").read_text().split()[:2])
    for path in (name, name.with_name("key.pub")):
        path.unlink()
    return content


@pytest.fixture(scope="module")
def grids(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The variables of three hosts, after their keys were learned."""
    scratch = tmp_path_factory.mktemp("keys")
    keys = [{"public_key": public_key(scratch), "host_keys": [public_key(scratch)]} for _ in range(3)]
    places: list[dict[str, Any]] = [
        {"ansible_host": "192.0.2.1"},
        {"grid_name": "grid-b", "grid_address": "b.example.org", "grid_ssh_port": 2200},
        {"ansible_host": "192.0.2.3"},
    ]
    return {
        name: {**place, "ansible_facts": {"grid_keys": known}}
        for name, place, known in zip(("grid-a", "host-b", "grid-c"), places, keys, strict=True)
    }


@pytest.fixture(scope="module")
def evaluate(ansible_plugins: None, grids: dict[str, dict[str, Any]]) -> Callable[..., Any]:
    """Evaluate one expression for the first of the grids."""
    filter_loader.add_directory(str(PROJECT / "filter_plugins"))
    loader = DataLoader()

    def evaluate(name: str, facts: dict[str, Any] = DEBIAN, **inventory: Any) -> Any:
        variables: dict[str, Any] = {}
        for file in ("mig/defaults/main", "grid/defaults/main", "grid/vars/main", f"grid/vars/{facts['os_family']}"):
            variables |= loader.load_from_file(str(ROLES / f"{file}.yml"), trusted_as_template=True)
        variables |= {
            "ansible_search_path": [str(ROLES / "grid")],
            "role_path": str(ROLES / "grid"),
            "ansible_facts": {"mig_host": {"packages": []}, **facts},
            "groups": {"grids": list(grids)},
            "hostvars": grids,
            "inventory_hostname": "grid-a",
            **inventory,
        }
        return Templar(loader, variables).template(variables[name])

    return evaluate


@pytest.fixture(scope="module")
def render(evaluate: Callable[..., Any]) -> Render:
    """The files of the first of the grids."""

    def render(**inventory: Any) -> Files:
        files = evaluate("__grid_files", **inventory)
        return {file["path"]: file.get("content") or file["secret_content"] for file in files}

    return render


def test_the_package_reads_the_configuration(render: Render, tmp_path: Path) -> None:
    wanted = {"shop": {"SHOP_PORT": 8081, "SHOP_NAME": '"Ø" $x {{ y }}'}}
    (tmp_path / "grid.json").write_text(render(grid_app_config=wanted)["grid.json"])
    configuration = State(etc=tmp_path).configuration()
    assert (configuration.name, configuration.address) == ("grid-a", "192.0.2.1")
    assert configuration.helper_image.startswith("migrid/mighelper:")
    assert dict(configuration.peers) == {
        "grid-b": Peer("b.example.org", 2200, "mig-grid"),
        "grid-c": Peer("192.0.2.3", 22, "mig-grid"),
    }
    assert configuration.monitor_ports == "28500-28599"
    assert configuration.app_config == {"shop": {"SHOP_PORT": "8081", "SHOP_NAME": '"Ø" $x {{ y }}'}}


def test_each_peer_can_run_its_gate_and_nothing_else(
    render: Render, grids: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    lines = render()["authorized_keys"].splitlines()[1:]
    assert lines == [
        f'restrict,command="sudo -n /usr/local/bin/mig-grid-gate {name}" '
        f"{grids[host]['ansible_facts']['grid_keys']['public_key']} {name}"
        for host, name in (("grid-c", "grid-c"), ("host-b", "grid-b"))
    ]
    (tmp_path / "authorized_keys").write_text("\n".join(lines) + "\n")
    listed = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "authorized_keys"], capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == 2


def test_host_keys_are_pinned_to_the_name_of_the_grid(
    render: Render, grids: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(render()["/var/lib/migrid/grid/ssh/known_hosts"])
    for host, name in (("host-b", "grid-b"), ("grid-c", "grid-c")):
        found = subprocess.run(["ssh-keygen", "-F", name, "-f", known], capture_output=True, text=True, check=True)
        assert grids[host]["ansible_facts"]["grid_keys"]["host_keys"][0] in found.stdout
    assert subprocess.run(["ssh-keygen", "-F", "grid-a", "-f", known], check=False, capture_output=True).returncode


def test_keys_that_check_mode_does_not_know_are_announced(render: Render, grids: dict[str, dict[str, Any]]) -> None:
    new: dict[str, Any] = {"ansible_facts": {"grid_keys": {"public_key": None, "host_keys": []}}}
    files = render(hostvars={**grids, "host-b": {"grid_name": "grid-b", **new}, "grid-c": {}})
    assert files["authorized_keys"].splitlines()[1:] == ["# grid-c will make its key", "# grid-b will make its key"]
    assert files["/var/lib/migrid/grid/ssh/known_hosts"].splitlines()[1:] == [
        "# grid-c will make its keys",
        "# grid-b will make its keys",
    ]


def test_the_ssh_service_lets_other_grids_do_the_least(render: Render, tmp_path: Path) -> None:
    files = render()
    assert files["sshd_config"] == files["/etc/ssh/sshd_config.d/60-migrid-grid.conf"]
    (tmp_path / "drop_in").write_text(files["sshd_config"])
    key = tmp_path / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "sshd_config").write_text(f"HostKey {key}\nInclude {tmp_path}/drop_in\nX11Forwarding yes\n")

    def effective(user: str) -> set[str]:
        ask = [SSHD, "-T", "-f", str(tmp_path / "sshd_config"), "-C", f"user={user},host=x,addr=192.0.2.9"]
        # sshd wants /run/sshd, which only exists while the machine's own sshd runs
        namespace = 'mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd && exec "$@"'
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", namespace, "sh", *ask]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())

    assert effective("mig-grid") >= {
        "authorizedkeysfile /etc/migrid/grid/authorized_keys",
        "authenticationmethods publickey",
        "disableforwarding yes",
        "permittty no",
    }
    assert effective("ada") >= {
        "authenticationmethods any",
        "disableforwarding no",
        "permittty yes",
        "x11forwarding yes",
    }


def test_sudo_accepts_its_rules(render: Render, tmp_path: Path) -> None:
    files = render()
    assert files["sudoers"] == files["/etc/sudoers.d/migrid-grid"]
    assert [line for line in files["sudoers"].splitlines() if "NOPASSWD" in line] == [
        "mig-grid ALL=(root) NOPASSWD: /usr/local/bin/mig-grid-gate grid-c",
        "mig-grid ALL=(root) NOPASSWD: /usr/local/bin/mig-grid-gate grid-b",
    ]
    (tmp_path / "sudoers").write_text(files["sudoers"])
    subprocess.run(["visudo", "--check", "--strict", f"--file={tmp_path}/sudoers"], check=True)


def test_owners_can_run_their_gate_and_nothing_else(render: Render, tmp_path: Path) -> None:
    keys = {name: public_key(tmp_path) for name in ("ada", "bob")}
    owners = [
        {
            "name": "ada",
            "applications": ["shop", "blog"],
            "properties": ["SHOP_PORT"],
            "public_key": f"{keys['ada']} ada@example.org\n",
        },
        {"name": "bob", "public_key": keys["bob"]},
    ]
    files = render(grid_owners=owners)
    assert files["authorized_keys"].splitlines()[-2:] == [
        f'restrict,command="sudo -n /usr/local/bin/mig-grid-owner {name}" {keys[name]} {name}' for name in keys
    ]
    assert [line for line in files["sudoers"].splitlines() if "mig-grid-owner" in line][1:] == [
        f"mig-grid ALL=(root) NOPASSWD: /usr/local/bin/mig-grid-owner {name}" for name in keys
    ]
    (tmp_path / "sudoers").write_text(files["sudoers"])
    subprocess.run(["visudo", "--check", "--strict", f"--file={tmp_path}/sudoers"], check=True)
    (tmp_path / "grid.json").write_text(files["grid.json"])
    assert State(etc=tmp_path).configuration().owners == {
        "ada": Owner(("shop", "blog"), ("SHOP_PORT",)),
        "bob": Owner(),
    }


def test_a_grid_alone_has_no_peers(render: Render) -> None:
    files = render(groups={"grids": ["grid-a"]})
    assert json.loads(files["grid.json"])["peers"] == {}
    assert "NOPASSWD" not in files["sudoers"]
    assert "ssh-" not in files["authorized_keys"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (DEBIAN, {"docker.io", "docker-compose", "mmdebstrap"}),
        (DEBIAN | {"distribution": "Ubuntu", "distribution_major_version": "24"}, {"docker.io", "docker-compose-v2"}),
    ],
)
def test_the_engine_is_the_distribution_s(
    facts: dict[str, Any], expected: set[str], evaluate: Callable[..., Any]
) -> None:
    assert expected < set(evaluate("__grid_packages", facts))


@pytest.mark.parametrize("facts", [DEBIAN | {"distribution_major_version": "12"}, ROCKY])
def test_a_distribution_without_compose_has_no_engine(facts: dict[str, Any], evaluate: Callable[..., Any]) -> None:
    assert evaluate("__grid_engines", facts)["distribution"] == []
    assert "docker-compose-plugin" in evaluate("__grid_packages", facts, grid_engine_packages="docker")


def test_an_engine_that_is_there_stays(evaluate: Callable[..., Any]) -> None:
    def packages(there: str, **inventory: Any) -> set[str]:
        return set(evaluate("__grid_packages", DEBIAN | {"mig_host": {"packages": [there]}}, **inventory))

    assert "docker-ce" in packages("docker-ce")
    assert "docker.io" not in packages("docker-ce")
    assert "docker.io" in packages("docker.io", grid_engine_packages="docker")
    assert "docker-ce" not in packages("docker.io", grid_engine_packages="docker")


def test_docker_s_own_repository_is_rendered(evaluate: Callable[..., Any]) -> None:
    def source(facts: dict[str, Any]) -> str:
        name = evaluate("__grid_repository_template", facts)
        text = "{{ lookup('ansible.builtin.template', '" + name + "') }}"
        url = {"grid_docker_repository_url": "https://mirror.example.org/docker"}
        return str(evaluate("__source", facts, __source=trust_as_template(text), **url))

    assert "URIs: https://mirror.example.org/docker\nSuites: trixie\n" in source(DEBIAN)
    assert "baseurl=https://mirror.example.org/docker/9/$basearch/stable\n" in source(ROCKY)


def test_owners_whose_keys_grids_made_are_owners_everywhere(
    render: Render, grids: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    key = public_key(tmp_path)
    known = {**grids["grid-c"]["ansible_facts"]["grid_keys"], "owners": {"shop": key, "wiki": None}}
    files = render(hostvars={**grids, "grid-c": {**grids["grid-c"], "ansible_facts": {"grid_keys": known}}})
    assert f'restrict,command="sudo -n /usr/local/bin/mig-grid-owner shop" {key} shop\n' in files["authorized_keys"]
    assert "mig-grid-owner shop\n" in files["sudoers"]
    assert "wiki" not in "".join(files.values()), "check mode does not know its key yet"
    (tmp_path / "grid.json").write_text(files["grid.json"])
    assert State(etc=tmp_path).configuration().owners == {"shop": Owner(applications=("shop",))}


def test_an_owners_own_key_comes_first(evaluate: Callable[..., Any], grids: dict[str, dict[str, Any]]) -> None:
    applications = [{"name": "shop"}, {"name": "wiki"}, {"name": "blog"}]
    begin = {"grid_applications": applications, "migctl_appliance_applications": ["shop", "wiki"]}
    ada = {"name": "ada", "applications": ["shop"], "public_key": "ssh-ed25519 AAAA"}
    hosts = {**grids, "host-b": {**grids["host-b"], **begin, "grid_owners": [ada]}}
    assert evaluate("__grid_owner_keys", hostvars=hosts) == {
        "grid-a": {},
        "host-b": {"wiki": "/var/lib/migrid/grid/owners/wiki/id_ed25519"},
        "grid-c": {},
    }
