"""The properties of the service MIGCTL, and the shell file that is made of them."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrid.grid.sides import Action
from migrid.migctl import container, properties
from migrid.migctl.errors import PlaceError, PropertiesError
from migrid.migctl.properties import Mode, Properties

GIVEN = {
    "username": "ada",
    "password": 'it\'s $HOME `id` "x"\\',
    "mode": "snapshot",
    "port_no": "8443",
    "private_key_file": "key",
    "grid_info_file": "grids.yml",
    "allow_anonymous": "false",
    "proxy_protocol": "true",
    "PATH": "/bin",
}


def test_properties_of_the_environment() -> None:
    expected = Properties("ada", GIVEN["password"], Mode.SNAPSHOT, 8443, "key", "grids.yml", proxy_protocol=True)
    assert properties.read(GIVEN) == expected
    assert properties.read({}) == properties.read(dict.fromkeys(GIVEN, "")) == Properties()


def test_everything_wrong_is_said_at_once_but_the_password() -> None:
    wrong = {
        "mode": "move",
        "port_no": "0",
        "private_key_file": "../key",
        "grid_info_file": "a/b",
        "password": "hidden",
    }
    with pytest.raises(PropertiesError) as error:
        properties.read(wrong)
    assert [line.partition(" ")[0] for line in str(error.value).splitlines()] == [
        "mode",
        "port_no",
        "private_key_file",
        "grid_info_file",
        "username",
    ]
    assert "hidden" not in str(error.value) + repr(properties.read(GIVEN | {"password": "hidden"}))


@pytest.mark.parametrize("port", ["65536", "-1", "８0", "80 ", "x"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(PropertiesError, match="from 1 to 65535"):
        properties.read({"port_no": port})


def test_the_mode_says_which_actions_there_are() -> None:
    assert [action for action in Action if Mode.BOTH.allows(action)] == list(Action)
    assert [action for action in Action if Mode.MIGRATE.allows(action)] == [Action.MIGRATE]
    assert [action for action in Action if Mode.SNAPSHOT.allows(action)] == [Action.SNAPSHOT]


def test_the_shell_file_is_private_and_readable_as_it_was_known(tmp_path: Path) -> None:
    path = tmp_path / "applogic.sh"
    path.write_text("old")
    path.chmod(0o644)
    properties.write(path, properties.read(GIVEN))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().splitlines()[0] == "username='ada'"
    assert sourced(path) == {name: GIVEN[name] for name in GIVEN if name != "PATH"}


@settings(max_examples=40)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
)
def test_a_shell_reads_what_was_given(tmp_path_factory: pytest.TempPathFactory, username: str, password: str) -> None:
    path = tmp_path_factory.getbasetemp() / "applogic.sh"
    properties.write(path, properties.read({"username": username, "password": password}))
    found = sourced(path)
    assert (found["username"], found["password"]) == (username, password)


def sourced(path: Path) -> dict[str, str]:
    names = [field.name for field in fields(Properties)]
    values = " ".join(f'"${name}"' for name in names)
    script = f'. "$1"; printf "%s\\0" {values}'
    done = subprocess.run(["sh", "-c", script, "sh", path], capture_output=True, check=True)
    return dict(zip(names, done.stdout.decode().split("\0")[:-1], strict=True))


ID = "5f" * 32


def test_a_container_knows_its_id(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    lines = [
        f"1 2 0:1 /var/lib/docker/containers/{ID}/{name} /etc/{name} rw - ext4 x rw" for name in ("hostname", "hosts")
    ]
    other = f"1 2 0:1 /var/lib/docker/containers/{'a' * 64}/x /mnt/config rw - ext4 x rw"
    mounts.write_text("\n".join(["1 2 0:1 / / rw - overlay x rw", *lines, other]))
    assert container.own_id(mounts) == ID
    for engine in ("", f"/var/lib/docker/volumes/{'b' * 64}/_data", f"/containers/{'c' * 64}/rootfs"):
        mounts.write_text(f"1 2 0:1 {engine}/containers/{ID}/hosts /etc/hosts rw - ext4 x rw\n")
        assert container.own_id(mounts) == ID


def test_what_is_no_container_is_said_so(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    for content in ("", "1 2 0:1 / / rw - ext4 x rw\n", "damaged", f"1 2 0:1 /containers/{ID}/x /mnt/config rw -\n"):
        mounts.write_text(content)
        with pytest.raises(PlaceError, match="no container of Docker's engine"):
            container.own_id(mounts)
