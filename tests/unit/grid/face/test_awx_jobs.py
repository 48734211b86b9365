"""The job templates, run as AWX runs them: by ansible-runner, with answers that are text and nobody to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from launching import Awx
from model_grid import ModelGrid, tiny
from playing import Inventory

SECRET = "hidden-value"


@pytest.fixture
def grids(tmp_path: Path) -> tuple[ModelGrid, ModelGrid]:
    """Two grids that know each other, without applications."""
    first, second = ModelGrid("grid-a", tmp_path / "grid-a"), ModelGrid("grid-b", tmp_path / "grid-b")
    first.build({"grid-b": second.root})
    second.build({"grid-a": first.root})
    return first, second


@pytest.fixture
def awx(tmp_path: Path, grids: tuple[ModelGrid, ModelGrid]) -> Awx:
    """Its inventory has an application on the first grid, with a secret among its properties."""
    inventory = Inventory(tmp_path, grids)
    application = {"name": "tiny", "directory": str(tiny(tmp_path / "tiny")), "properties": {"TINY_GREETING": SECRET}}
    inventory.variables["grid-a"] = {"grid_applications": [application]}
    inventory.write()
    return Awx(tmp_path / "awx", inventory.path)


def test_from_the_inventory_to_another_grid(awx: Awx, grids: tuple[ModelGrid, ModelGrid]) -> None:
    first, second = grids
    provisioned = awx.launch("Applications", {})
    assert provisioned.status == "successful", provisioned.output

    answers = awx.answers(app="tiny", target_grid="grid-b", target_app="tiny2", cut_over="now")
    planned = awx.launch("Plan a move", answers)
    assert planned.status == "successful", planned.output
    assert planned.artifacts["result"] == "planned"
    assert planned.artifacts["predicted_downtime_seconds"] > 0
    assert first.listed()["tiny"]["state"] == "running"
    assert second.listed() == {}

    moved = awx.launch("Move", answers, planned.artifacts)
    assert moved.status == "successful", moved.output
    assert moved.artifacts["result"] == "migrated"
    assert moved.artifacts["moved"] == planned.artifacts["moved"]
    assert moved.artifacts["downtime_seconds"] > 0
    assert second.listed()["tiny2"]["state"] == "running"
    assert second.state.properties_file("tiny2").read_text() == f'TINY_GREETING="{SECRET}"\n'

    for job in (provisioned, planned, moved):
        assert not [text for text in job.kept() if SECRET in text]


def test_a_wrong_answer_fails_the_job_and_is_explained(awx: Awx, grids: tuple[ModelGrid, ModelGrid]) -> None:
    answers = awx.answers(app="{{ lookup('env', 'HOME') }}", target_grid="grid-b")
    job = awx.launch("Move", answers)
    assert job.status == "failed"
    assert "cannot name an application" in job.output
    assert "{{ lookup('env', 'HOME') }}" in job.output
    assert grids[1].state.moves() == []
