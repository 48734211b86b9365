"""The modules grid_app and grid_app_info, and playbooks/applications.yml, run by Ansible."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from model_grid import ModelGrid
from playing import Inventory

TASKS = """
- hosts: grids
  gather_facts: false
  tasks:
    - name: Learn
      grid_app_info:
        names: [tiny]
      register: found
    - name: Leave
      ansible.builtin.copy:
        content: "{{ found | to_json }}"
        dest: "{{ place }}"
        mode: "0600"
"""


@pytest.fixture
def inventory(tmp_path: Path, grid: ModelGrid) -> Inventory:
    return Inventory(tmp_path, [grid])


def declare(inventory: Inventory, source: Path, **entry: object) -> None:
    inventory.variables["grid-a"] = {"grid_applications": [{"name": "tiny", "directory": str(source), **entry}]}


def test_applications_of_an_inventory(inventory: Inventory, grid: ModelGrid, source: Path) -> None:
    (source / "conf" / "key").write_text("hidden-file")
    (source / "conf" / "key").chmod(0o600)
    os.chown(source / "conf" / "key", 999, 999)
    declare(inventory, source, properties={"TINY_GREETING": "hidden-value"})
    checked = inventory.play("playbooks/applications.yml", "--check", "--diff")
    assert (checked.status, checked.results()["grid-a"]["changed"]) == (0, "1"), checked.output
    assert grid.state.applications() == []
    done = inventory.play("playbooks/applications.yml", "--diff", "-vvv")
    assert (done.status, done.results()["grid-a"]["changed"]) == (0, "1"), done.output
    for line in ("+state: running", "+property TINY_GREETING: set", "+file conf/key: written"):
        assert line in checked.output
        assert line in done.output
    assert "hidden" not in checked.output + done.output
    key = grid.state.project_directory("tiny") / "conf" / "key"
    assert (key.read_text(), key.stat().st_uid, key.stat().st_mode & 0o777) == ("hidden-file", 0, 0o600)
    again = inventory.play("playbooks/applications.yml")
    assert (again.status, again.results()["grid-a"]["changed"]) == (0, "0"), again.output


def test_wrong_entries_are_all_named(inventory: Inventory, grid: ModelGrid, source: Path) -> None:
    declare(inventory, source, properties={"A B": "hidden"}, stat="started")
    inventory.variables["grid-a"]["grid_applications"].append({"name": "Wrong"})
    played = inventory.play("playbooks/applications.yml")
    assert played.status != 0
    assert "the field 'stat' is unknown; did you mean state?" in played.output
    assert "'Wrong' cannot name an application" in played.output
    assert "hidden" not in played.output
    assert grid.state.applications() == []


def test_what_is_returned_of_an_application(
    inventory: Inventory, grid: ModelGrid, source: Path, tmp_path: Path
) -> None:
    grid.mig_grid("provision", "tiny", str(source), "-p", "TINY_GREETING=hidden", "--start")
    (tmp_path / "learn.yml").write_text(TASKS)
    played = inventory.play(tmp_path / "learn.yml", f"--extra-vars=place={tmp_path / 'found.json'}", "-vvv")
    assert played.status == 0, played.output
    assert "hidden" not in played.output
    found = json.loads((tmp_path / "found.json").read_text())
    (tiny,) = found["applications"]
    assert (found["grid"], tiny["state"], tiny["running"], tiny["managed"]) == ("grid-a", "running", True, True)
    assert (tiny["properties"], [volume["name"] for volume in tiny["volumes"]]) == (["TINY_GREETING"], ["store"])
