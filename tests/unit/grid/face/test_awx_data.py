"""What AWX is told of this project fits the project: templates, surveys, the workflow and the execution environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from launching import TEMPLATES, WORKFLOW
from model_grid import PROJECT

from migrid.grid.moves import migration, request

GIVEN = {"app": "shop", "target_grid": "grid-b", "source_grid": "grid-a"}
GIVEN_BY_TEMPLATE = {"plan_only"}
SURVEYS = [*(template for template in TEMPLATES.values() if "survey_spec" in template), WORKFLOW]

survey = pytest.mark.parametrize("owner", SURVEYS, ids=lambda owner: owner["name"])
template = pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template["name"])


def _questions(owner: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert owner["survey_enabled"]
    return {question["variable"]: question for question in owner["survey_spec"]["spec"]}


def _successors(node: dict[str, Any]) -> list[str]:
    return [each["identifier"] for each in node.get("related", {}).get("success_nodes", [])]


@survey
def test_a_survey_asks_for_every_option_and_nothing_else(owner: dict[str, Any]) -> None:
    assert set(_questions(owner)) == set(migration.OPTIONS) - GIVEN_BY_TEMPLATE


@survey
def test_a_survey_requires_what_the_playbook_requires(owner: dict[str, Any]) -> None:
    required = {name for name, question in _questions(owner).items() if question["required"]}
    assert required == {"app", "target_grid"}


@survey
def test_the_answers_of_a_survey_that_nobody_changed_are_the_defaults_of_the_playbook(owner: dict[str, Any]) -> None:
    answers = {name: question.get("default", "") for name, question in _questions(owner).items()}
    assert request.parse({**answers, **GIVEN, "target_app": ""}) == request.parse(GIVEN)


def _choices(owner: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, question in _questions(owner).items():
        for choice in question.get("choices", []):
            yield name, choice


@survey
def test_every_choice_of_a_survey_is_one_of_the_playbook(owner: dict[str, Any]) -> None:
    made = {repr(request.parse({**GIVEN, name: choice})) for name, choice in _choices(owner)}
    assert len(made) == 1 + sum(len(q["choices"]) - 1 for q in _questions(owner).values() if "choices" in q)


@survey
@pytest.mark.parametrize(
    ("variable", "kind"),
    [("action", request.Action), ("destroy_source", request.DestroySource)],
    ids=["action", "source"],
)
def test_a_survey_offers_every_choice_of_the_playbook(owner: dict[str, Any], variable: str, kind: Any) -> None:
    assert _questions(owner)[variable]["choices"] == [choice.value for choice in kind]


@template
def test_a_template_runs_a_playbook_that_awx_finds(template: dict[str, Any]) -> None:
    """AWX lists a file when a line of it begins a play, or imports a playbook."""
    lines = (PROJECT / template["playbook"]).read_text().splitlines()
    assert any(line.lstrip(" -").startswith(("hosts:", "ansible.builtin.import_playbook:")) for line in lines)


@template
def test_a_template_says_all_that_a_playbook_needs(template: dict[str, Any]) -> None:
    common = {name: template[name] for name in ("organization", "project", "inventory", "credentials")}
    assert common == {name: TEMPLATES["Site"][name] for name in common}


def test_the_plan_changes_nothing() -> None:
    assert request.parse({**GIVEN, **TEMPLATES["Plan a move"]["extra_vars"]}).plan_only
    assert "extra_vars" not in TEMPLATES["Move"]


def test_the_workflow_moves_after_an_approval_of_the_plan() -> None:
    nodes = {node["identifier"]: node for node in WORKFLOW["workflow_nodes"]}
    names = {identifier: node["unified_job_template"]["name"] for identifier, node in nodes.items()}
    kinds = {identifier: node["unified_job_template"]["type"] for identifier, node in nodes.items()}
    assert kinds == {"plan": "job_template", "approve": "workflow_approval", "move": "job_template"}
    assert {identifier: _successors(node) for identifier, node in nodes.items()} == {
        "plan": ["approve"],
        "approve": ["move"],
        "move": [],
    }
    assert {names[identifier] for identifier, kind in kinds.items() if kind == "job_template"} <= set(TEMPLATES)


def test_the_execution_environment_has_what_the_control_node_has() -> None:
    definition = yaml.safe_load((PROJECT / "awx" / "execution-environment.yml").read_text())
    locked = (PROJECT / "requirements.txt").read_text().splitlines()
    pins = {line.partition(" ;")[0] for line in locked}
    dependencies = definition["dependencies"]
    assert {dependencies[name]["package_pip"] for name in ("ansible_core", "ansible_runner")} <= pins
    sources = [each["src"] for each in definition["additional_build_files"]]
    for source in [dependencies["python"], *sources]:
        assert (PROJECT / "awx" / source).exists()
