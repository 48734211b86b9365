"""AWX as far as a playbook notices it: jobs that ansible-runner runs from templates, and what is passed between them.

AWX writes the variables of a job to a file, in which what people answered is text that no template is made of
(`!unsafe`), and adds its own. What `set_stats` leaves becomes variables of the jobs that follow in a workflow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import yaml
from model_grid import PROJECT

_CONTROLLER = yaml.safe_load((PROJECT / "awx" / "controller.yml").read_text())
TEMPLATES: dict[str, dict[str, Any]] = {each["name"]: each for each in _CONTROLLER["controller_templates"]}
[WORKFLOW] = _CONTROLLER["controller_workflows"]
_LIMIT = 120


@dataclass(frozen=True)
class Job:
    """How a job ended, and the directory with all that AWX keeps of it."""

    status: str
    output: str
    artifacts: Mapping[str, Any]
    directory: Path

    def kept(self) -> Iterator[str]:
        """Every text that AWX keeps and shows: output, events, artifacts."""
        for path in (self.directory / "artifacts").rglob("*"):
            if path.is_file():
                yield path.read_text()


class Awx:
    """Launches the templates of this project."""

    def __init__(self, directory: Path, inventory: Path) -> None:
        self._directory = directory
        self._inventory = inventory
        self._jobs = 0

    def launch(self, template: str, answers: Mapping[str, str], artifacts: Mapping[str, Any] | None = None) -> Job:
        """Run a job of a template to its end, with the answers to its survey and the artifacts of jobs before it."""
        self._jobs += 1
        directory = self._directory / f"job-{self._jobs}"
        (directory / "env").mkdir(parents=True)
        own = TEMPLATES[template].get("extra_vars", {})
        (directory / "env" / "extravars").write_text(_variables(self._jobs, {**own, **answers, **(artifacts or {})}))
        done = ansible_runner.run(
            private_data_dir=str(directory),
            project_dir=str(PROJECT),
            playbook=TEMPLATES[template]["playbook"],
            inventory=str(self._inventory),
            settings={"job_timeout": _LIMIT, "idle_timeout": _LIMIT, "suppress_ansible_output": True},
        )
        with done.stdout as output:
            return Job(done.status, output.read(), _artifacts(done.events), directory)

    def answers(self, **given: str) -> dict[str, str]:
        """The answers to the survey of a move: those that are given, and what the survey has for the others."""
        questions = TEMPLATES["Move"]["survey_spec"]["spec"]
        return {**{each["variable"]: each.get("default", "") for each in questions}, **given}


def _variables(number: int, variables: Mapping[str, Any]) -> str:
    own = {"job_id": number, "job_launch_type": "workflow", "user_name": "ada", "workflow_job_id": 1}
    every = {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in own.items()}
    return "".join(f"{name}: {_passed(value)}\n" for name, value in {**variables, **every}.items())


def _passed(value: Any) -> str:
    """A value as YAML in one line. Text is not made a template of."""
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)


def _artifacts(events: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return next(
        (
            dict(event["event_data"].get("artifact_data", {}))
            for event in events
            if event["event"] == "playbook_on_stats"
        ),
        {},
    )
