"""A service's configuration changes as one set, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from migrid.provision.config_set import ConfigSet, ConfigSetError, File

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Path of a file outside of the set's directory."""
    return tmp_path / "units" / "grid_sftp.service"


@pytest.fixture
def config_set(tmp_path: Path) -> ConfigSet:
    return ConfigSet("sftp", tmp_path / "migrid")


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_new_set_shows_its_files_with_their_modes(config_set: ConfigSet, unit: Path) -> None:
    old = os.umask(0o077)
    try:
        config_set.write([File("a/b.conf", b"one\n", 0o640), File(str(unit), b"[Unit]\n")])
    finally:
        os.umask(old)
    assert (config_set.live / "a/b.conf").read_bytes() == b"one\n"
    assert stat.S_IMODE((config_set.live / "a/b.conf").stat().st_mode) == 0o640
    assert stat.S_IMODE((config_set.live / "a").stat().st_mode) == 0o755
    assert unit.read_bytes() == b"[Unit]\n"
    assert config_set.live.is_symlink()


def test_writing_the_same_again_changes_nothing(config_set: ConfigSet, unit: Path) -> None:
    files = [File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n")]
    config_set.write(files)
    generation = config_set.live.readlink()
    assert config_set.plan(files) == []
    assert config_set.write(files) == []
    assert config_set.live.readlink() == generation


def test_a_plan_names_each_difference_and_changes_nothing(config_set: ConfigSet, tmp_path: Path) -> None:
    config_set.write([File("a.conf", b"one\n"), File("old.conf", b"old\n")])
    before = tree(tmp_path)
    plan = config_set.plan([File("a.conf", b"two\n"), File("new.conf", b"new\n")])
    assert [(change.path, change.before, change.after) for change in plan] == [
        ("a.conf", b"one\n", b"two\n"),
        ("new.conf", None, b"new\n"),
        ("old.conf", b"old\n", None),
    ]
    assert tree(tmp_path) == before


def test_a_refused_set_leaves_everything_as_it_was(config_set: ConfigSet, unit: Path, tmp_path: Path) -> None:
    config_set.write([File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n")])
    before = tree(tmp_path)
    with pytest.raises(ConfigSetError, match=r"refused.*as it was(.|\n)*bad: two"):
        config_set.write(
            [File("a.conf", b"two\n"), File(str(unit), b"[Other]\n")],
            ["sh -c 'read line < $0/a.conf; echo bad: $line >&2; exit 1' {set}"],
        )
    assert tree(tmp_path) == before


def test_the_check_sees_the_new_files(config_set: ConfigSet) -> None:
    config_set.write([File("a.conf", b"one\n")])
    config_set.write([File("a.conf", b"two\n")], ["grep -q two {set}/a.conf"])
    assert (config_set.live / "a.conf").read_bytes() == b"two\n"


def test_a_missing_check_program_is_an_error_before_any_change(config_set: ConfigSet) -> None:
    with pytest.raises(ConfigSetError, match="no-such-program"):
        config_set.write([File("a.conf", b"one\n")], ["no-such-program {set}"])
    assert not config_set.live.exists()


def test_a_failure_after_the_switch_brings_the_old_set_back(config_set: ConfigSet, unit: Path, tmp_path: Path) -> None:
    config_set.write([File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n")])
    blocked = tmp_path / "directory"
    (blocked / "x").mkdir(parents=True)
    before = tree(tmp_path)
    with pytest.raises(OSError, match="directory"):
        config_set.write([File("a.conf", b"two\n"), File(str(unit), b"[Other]\n"), File(str(blocked), b"no")])
    assert tree(tmp_path) == before
    assert (config_set.live / "a.conf").read_bytes() == b"one\n"


def test_a_hand_edited_file_is_put_right(config_set: ConfigSet) -> None:
    files = [File("a.conf", b"one\n")]
    config_set.write(files)
    (config_set.live / "a.conf").chmod(0o666)
    assert [change.path for change in config_set.write(files)] == ["a.conf"]
    assert stat.S_IMODE((config_set.live / "a.conf").stat().st_mode) == 0o644


def test_a_file_elsewhere_that_is_as_wanted_is_not_touched(config_set: ConfigSet, unit: Path) -> None:
    config_set.write([File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n")])
    inode = unit.stat().st_ino
    config_set.write([File("a.conf", b"two\n"), File(str(unit), b"[Unit]\n")])
    assert unit.stat().st_ino == inode


def test_a_file_that_left_the_set_goes(config_set: ConfigSet, unit: Path) -> None:
    config_set.write([File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n")])
    config_set.write([File("a.conf", b"one\n")])
    assert not unit.exists()


def test_somebody_elses_file_is_not_overwritten(config_set: ConfigSet, unit: Path) -> None:
    unit.parent.mkdir()
    unit.write_bytes(b"theirs\n")
    with pytest.raises(ConfigSetError, match="does not belong to the set sftp; move it away"):
        config_set.write([File(str(unit), b"ours\n")])
    assert unit.read_bytes() == b"theirs\n"


def test_removal_takes_what_the_set_put_there_and_nothing_else(
    config_set: ConfigSet, unit: Path, tmp_path: Path
) -> None:
    other = unit.with_name("other.service")
    drop_in = tmp_path / "apache2.service.d" / "migrid.conf"
    theirs = tmp_path / "tmpfiles.d"
    theirs.mkdir()
    config_set.write([File(str(theirs / "migrid.conf"), b"d /x\n")])
    config_set.write([File("a.conf", b"one\n"), File(str(unit), b"[Unit]\n"), File(str(drop_in), b"[Service]\n")])
    other.write_bytes(b"theirs\n")
    assert [change.path for change in config_set.remove()] == ["a.conf", str(unit), str(drop_in)]
    assert tree(tmp_path) == {"units/other.service": b"theirs\n"}
    assert not drop_in.parent.exists()
    assert theirs.is_dir()
    assert not config_set.root.exists()
    assert config_set.remove() == []


@pytest.mark.parametrize("path", ["", "../a", "a/../../b", "/etc/../x"])
def test_paths_that_leave_the_set_are_refused(config_set: ConfigSet, path: str) -> None:
    with pytest.raises(ConfigSetError, match="cannot be the path"):
        config_set.write([File(path, b"")])


def test_an_unknown_owner_is_an_error_before_any_change(config_set: ConfigSet) -> None:
    with pytest.raises(ConfigSetError, match="no user 'nobody-here'"):
        config_set.write([File("a.conf", b"one\n", owner="nobody-here")])
    assert not config_set.live.exists()
    assert not list(config_set.root.glob(".sftp.*"))


def test_a_secret_stays_one_in_every_later_change(config_set: ConfigSet) -> None:
    config_set.write([File("grid.json", b"password 1", 0o600, secret=True), File("open.conf", b"one\n")])
    changed = config_set.plan([File("grid.json", b"password 2", 0o600), File("open.conf", b"two\n")])
    assert {change.path: change.secret for change in changed} == {"grid.json": True, "open.conf": False}
    assert {change.path: change.secret for change in config_set.plan([])} == {"grid.json": True, "open.conf": False}
    assert {change.path: change.secret for change in config_set.remove()} == {"grid.json": True, "open.conf": False}


def test_a_secret_is_shown_in_no_difference(tmp_path: Path) -> None:
    secret = {"name": "probe", "files": [{"path": "grid.json", "secret_content": "hidden-value", "mode": "0600"}]}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    playbook = [{"hosts": "localhost", "gather_facts": False, "vars": here, "tasks": [{"config_set": secret}]}]
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump(playbook))
    command = [Path(sys.executable).with_name("ansible-playbook"), "--check", "--diff", "-vvv", "-i", "localhost,"]
    result = subprocess.run(
        [*command, tmp_path / "playbook.yml"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert "+another secret" in result.stdout, result.stdout
    assert "hidden-value" not in result.stdout
