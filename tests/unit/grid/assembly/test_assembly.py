"""The MIG assembly as applications get it, read by the programs that it is for."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from migrid.grid.application import Page
from migrid.grid.assembly.fragment import fragment
from migrid.grid.assembly.grid_info import grid_info
from migrid.grid.assembly.overlay import lay_over
from migrid.grid.compose.wishes import rereading, wishes
from migrid.grid.errors import DefinitionError, GridError
from migrid.grid.peers import host_keys
from migrid.grid.state import Configuration, Peer, State, write_json
from migrid.migctl import grid_info as owners_grid_info
from migrid.migctl import properties
from migrid.migctl.grid_info import Address
from migrid.ps8.properties import ClientAddress, from_environment, parse

HERE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
THERE = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAAAAAAAAAAAAAAAAAAAAA"
IMAGE = "migrid/mighelper:20300101-0123abcd"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A grid that knows another."""
    made = State(tmp_path / "state", tmp_path / "etc")
    peers = {"grid-b": Peer("2001:db8::2", 2222)}
    write_json(made.etc / "grid.json", Configuration("grid-a", "a.example.org", helper_image=IMAGE, peers=peers))
    (made.root / "ssh").mkdir(parents=True)
    (made.root / "ssh" / "known_hosts").write_text(f"# made\ngrid-b ssh-rsa AAAA\ngrid-b {THERE}\n")
    ssh = tmp_path / "ssh"
    ssh.mkdir()
    (ssh / "ssh_host_ed25519_key.pub").write_text(f"{HERE} root@a\n")
    monkeypatch.setattr(host_keys, "SSH", ssh)
    return made


@pytest.fixture
def key(state: State) -> str:
    path = state.owner_key("shop")
    path.parent.mkdir(parents=True)
    path.write_text("the key")
    return "the key"


def model(state: State, **given: str) -> dict[str, Any]:
    """What Compose makes of the assembly, with the values of some variables."""
    text = json.dumps(yaml.safe_load(fragment(state.configuration())))
    return dict(json.loads(re.sub(r"\$\{(\w+):-(.*?)\}", lambda match: given.get(match[1], match[2]), text)))


def services(state: State, **given: str) -> dict[str, Any]:
    return dict(model(state, **given)["services"])


def test_its_images_are_those_of_the_grids_release(state: State) -> None:
    images = {name: service["image"] for name, service in services(state).items()}
    assert images == {"ps8": "migrid/mig:20300101-0123abcd", "migctl": "migrid/migctl:20300101-0123abcd"}
    with pytest.raises(GridError, match="names no helper image"):
        fragment(Configuration("grid-a", "a.example.org"))


def test_its_services_can_do_little(state: State) -> None:
    for service in services(state).values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in services(state)["migctl"]


def test_an_open_page_does_not_hold_up_a_stop(state: State) -> None:
    assert services(state)["migctl"]["stop_grace_period"] == "1s"


def test_migctl_gets_all_its_properties(state: State) -> None:
    given = services(state)["migctl"]["environment"]
    assert set(given) == {field.name for field in fields(properties.Properties)}
    texts = {name: str(value) for name, value in given.items()}
    assert properties.read(texts) == properties.Properties(proxy_protocol=True)


@pytest.mark.parametrize("port", ["8080", "9443"])
def test_the_page_is_where_its_port_says(state: State, port: str) -> None:
    found = services(state, MIG_PORT_NO=port)
    assert found["ps8"]["ports"] == [f"{port}:{port}"]
    assert str(found["ps8"]["labels"]["mig.page"]) == port
    switched = parse(from_environment({name: str(value) for name, value in found["ps8"]["environment"].items()}))
    output = switched.output("tcp", int(port))
    assert (output.address, output.client_address) == ("migctl", ClientAddress.PROXY_PROTOCOL)
    assert switched.output("tcp", int(port) + 1).address == ""


def test_its_labels_are_known(state: State) -> None:
    found = model(state)
    assert (wishes(found).hooks, wishes(found).page) == ((), Page("ps8", 8080))
    assert rereading(found) == {"ps8"}
    found["services"]["ps8"]["labels"]["mig.rereads_files"] = "perhaps"
    with pytest.raises(DefinitionError, match=r"ps8: mig\.rereads_files is 'perhaps'; accepted are true and false"):
        rereading(found)


def test_migctl_reads_grid_info(state: State) -> None:
    found = owners_grid_info.parse(grid_info(state).encode(), "grid_info")
    assert {name: entry.controller for name, entry in found.items()} == {
        "grid-a": Address("a.example.org", 22),
        "grid-b": Address("2001:db8::2", 2222),
    }
    assert {name: entry.host_key for name, entry in found.items()} == {"grid-a": HERE, "grid-b": THERE}


def test_no_grid_is_taken_on_trust(state: State) -> None:
    (state.root / "ssh" / "known_hosts").write_text("# grid-b will make its keys\n")
    with pytest.raises(GridError, match=r"The host key of grid grid-b is not known here; playbooks/grids\.yml"):
        grid_info(state)


def test_what_an_application_gets(state: State, key: str, tmp_path: Path) -> None:
    directory = tmp_path / "shop"
    directory.mkdir()
    lay_over(directory, state, "shop")
    found = {str(path.relative_to(directory)) for path in directory.rglob("*")}
    assert found == {"compose.mig.yaml", "mig", "mig/grid_info", "mig/private_key", "mig/ps8"}
    assert (directory / "mig" / "private_key").read_text() == key
    assert stat.S_IMODE((directory / "mig" / "private_key").stat().st_mode) == 0o444


def test_what_the_directory_has_itself_stays(state: State, tmp_path: Path) -> None:
    place = tmp_path / "shop" / "mig"
    (place / "ps8").mkdir(parents=True)
    own = {"private_key": "the owner's", "grid_info": "of the owner", "ps8/properties": "out1_protocol=tcp"}
    for name, text in own.items():
        (place / name).write_text(text)
    lay_over(tmp_path / "shop", state, "shop")
    assert {name: (place / name).read_text() for name in own} == own


def test_an_owner_without_a_key(state: State, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"The owner of shop has no key on this grid.*mig/private_key"):
        lay_over(tmp_path, state, "shop")
