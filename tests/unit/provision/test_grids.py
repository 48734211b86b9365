"""The grids of an inventory: wrong ones stop a run before any host is reached, right ones find each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from migrid.provision.grids import Place, app_config, place

PROJECT = Path(__file__).parents[3]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"

# What is wrong, the variables of the host that make it so, and what the error must say.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "misspelt": ({"grid_adress": "192.0.2.1"}, ["grid_adress", "did you mean grid_address?"]),
    "no-choice": (
        {"grid_engine_packages": "podman"},
        ["grid_engine_packages: 'podman'", "one of distribution, docker"],
    ),
    "no-port": ({"grid_ssh_port": 70000}, ["grid_ssh_port: 70000 is not a port", "1 to 65535"]),
    "no-ports": ({"grid_monitor_ports": "28500-28599"}, ["grid_monitor_ports: '28500-28599' is not a range of ports"]),
    "no-address": ({"grid_address": "not_a_name"}, ["grid_address: 'not_a_name' is not a host name"]),
    "under_score": ({}, ["grid_name: 'under_score' cannot name a grid"]),
    "bad-name": ({"grid_name": "grid 1"}, ["grid_name: 'grid 1' cannot name a grid"]),
    "no-url": (
        {"grid_engine_packages": "docker", "grid_docker_repository_key": "a key"},
        ["grid_docker_repository_url: is missing though grid_engine_packages is docker"],
    ),
    "undeclared-appliance": (
        {"migctl_appliance_applications": ["shopp"]},
        ["migctl_appliance_applications: 'shopp' is in no grid's grid_applications; declare it there"],
    ),
    "second-appliance": (
        {"migctl_appliance_applications": ["blog"], "grid_applications": [{"name": "blog"}]},
        ["migctl_appliance_applications: 'blog' begins on third-appliance too"],
    ),
    "third-appliance": (
        {"migctl_appliance_applications": ["blog"], "grid_applications": [{"name": "blog"}]},
        ["migctl_appliance_applications: 'blog' begins on second-appliance too"],
    ),
    "app-name": (
        {"grid_app_config": {"My Shop": {}}},
        ["grid_app_config: My Shop: 'My Shop' cannot name an application"],
    ),
    "app-property": (
        {"grid_app_config": {"shop": {"1st": "x"}}},
        ["grid_app_config: shop: '1st' cannot name a property"],
    ),
    "app-value": (
        {"grid_app_config": {"shop": {"SHOP_KEY": ["hidden-value"]}}},
        ["grid_app_config: shop: The property SHOP_KEY is a", "give text or a number"],
    ),
    "app-no-mapping": ({"grid_app_config": {"shop": "hidden-value"}}, ["grid_app_config: shop: is not a mapping"]),
    "no-list": ({"grid_applications": {"shop": "hidden-value"}}, ["grid_applications: is not a list"]),
    "app-option": (
        {"grid_applications": [{"name": "shop", "directry": "/srv/shop"}]},
        ["grid_applications: [0] (shop): the field 'directry' is unknown; did you mean directory?"],
    ),
    "app-state": (
        {"grid_applications": [{"name": "shop", "directory": "/srv/shop", "state": "on"}]},
        ["grid_applications: [0] (shop): state 'on' is not accepted; give one of present, started"],
    ),
    "app-twice": (
        {"grid_applications": [{"name": "shop", "directory": "/a"}, {"name": "shop", "directory": "/b"}]},
        ["grid_applications: shop is declared twice"],
    ),
    "owner-name": (
        {"grid_owners": [{"name": 'ada" ALL', "public_key": KEY}]},
        ["grid_owners: ada\" ALL: 'ada\" ALL' cannot name an owner"],
    ),
    "owner-application": (
        {"grid_owners": [{"name": "ada", "applications": ["../shop"], "public_key": KEY}]},
        ["grid_owners: ada: '../shop' cannot name an application"],
    ),
    "owner-property": (
        {"grid_owners": [{"name": "ada", "properties": ["SHOP PORT"], "public_key": KEY}]},
        ["grid_owners: ada: 'SHOP PORT' cannot name a property"],
    ),
    "owner-keys": (
        {"grid_owners": [{"name": "ada", "public_key": f"{KEY}\n{KEY}"}]},
        ["grid_owners: ada: its public_key is not one line"],
    ),
    "owner-no-mapping": ({"grid_owners": ["ada"]}, ["grid_owners"]),
    "owner-twice": (
        {"grid_owners": [{"name": "ada", "public_key": KEY}, {"name": "ada", "public_key": KEY.lower()}]},
        ["grid_owners: the name ada is there 2 times; it can be one owner's only"],
    ),
    "owners-share-a-key": (
        {"grid_owners": [{"name": "ada", "public_key": KEY}, {"name": "bob", "public_key": f"{KEY} bob"}]},
        [f"grid_owners: the public_key {KEY} is there 2 times"],
    ),
    "owners-share-an-application": (
        {
            "grid_owners": [
                {"name": "ada", "applications": ["shop"], "public_key": KEY},
                {"name": "bob", "applications": ["shop"], "public_key": KEY.lower()},
            ]
        },
        ["grid_owners: the application shop is there 2 times"],
    ),
    "name-of-another": ({"grid_name": "good"}, ["grid_name: 'good' is the name of good too", "each grid its own"]),
    "place-of-another": (
        {"grid_address": "192.0.2.200"},
        ["grid_address: '192.0.2.200' with port 22 is where other-good is too"],
    ),
}
GOOD: dict[str, dict[str, Any]] = {
    "good": {
        "grid_app_config": {"shop": {"SHOP_PORT": 8081, "SHOP_OPEN": True}},
        "grid_applications": [{"name": "shop", "directory": "/srv/shop", "remote_src": True, "state": "stopped"}],
    },
    "with-assembly": {
        "grid_applications": [{"name": "shop", "directory": "/srv/shop"}, {"name": "wiki", "directory": "/srv/wiki"}],
        "migctl_appliance_applications": ["shop"],
    },
    "other-good": {"grid_address": "192.0.2.200", "grid_engine_packages": "distribution"},
}


def hosts() -> dict[str, dict[str, Any]]:
    named = {name: variables for name, (variables, _) in WRONG.items()} | GOOD
    return {
        name: {"ansible_host": f"192.0.2.{number}", **variables}
        for number, (name, variables) in enumerate(named.items(), start=1)
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one run over all of them says."""
    inventory = tmp_path_factory.mktemp("inventory") / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": {"grids": {"hosts": hosts()}}}}))
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "playbooks/grids.yml"]
    environment = os.environ | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_NOCOLOR": "1"}
    result = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    report: dict[str, Any] = json.loads(result.stdout[result.stdout.index("{") :])
    return report


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_grid_is_refused_with_what_to_do(name: str, report: dict[str, Any]) -> None:
    message = report["plays"][0]["tasks"][0]["hosts"][name]["msg"]
    for words in WRONG[name][1]:
        assert words in message
    assert len(message.splitlines()) == 2, message


def test_nothing_else_runs(report: dict[str, Any]) -> None:
    assert [len(play["tasks"]) for play in report["plays"]] == [1]


def test_values_of_properties_are_not_shown(report: dict[str, Any]) -> None:
    assert "hidden-value" not in json.dumps(report)


def test_a_good_grid_has_no_problem_of_its_own(report: dict[str, Any]) -> None:
    results = report["plays"][0]["tasks"][0]["hosts"]
    assert "is the name of name-of-another too" in results["good"]["msg"]
    assert len(results["good"]["msg"].splitlines()) == 2
    assert "is where place-of-another is too" in results["other-good"]["msg"]
    assert len(results["other-good"]["msg"].splitlines()) == 2


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Place("host", "host", 22)),
        ({"ansible_host": "192.0.2.1", "ansible_port": 2200}, Place("host", "192.0.2.1", 2200)),
        ({"ansible_host": "192.0.2.1", "system_container_address": "192.0.2.2"}, Place("host", "192.0.2.2", 22)),
        (
            {"grid_name": "a", "grid_address": "a.example.org", "grid_ssh_port": 222, "ansible_host": "192.0.2.1"},
            Place("a", "a.example.org", 222),
        ),
    ],
)
def test_a_grid_is_where_ansible_reaches_it_unless_the_inventory_says_so(
    variables: dict[str, Any], expected: Place
) -> None:
    assert place("host", variables) == expected


def test_properties_are_text() -> None:
    assert app_config({"shop": {"SHOP_PORT": 8081, "SHOP_OPEN": True, "SHOP_NAME": "ø"}}) == {
        "shop": {"SHOP_PORT": "8081", "SHOP_OPEN": "true", "SHOP_NAME": "ø"}
    }
