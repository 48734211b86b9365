"""Every variable of a role is in its argument specs and in its defaults, with the same value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path.parents[1] for path in Path(__file__).parents[2].glob("roles/*/tasks"))


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    return content or {}


def defaults(role: Path) -> dict[str, Any]:
    return load(role / "defaults" / "main.yml")


def options(role: Path) -> dict[str, dict[str, Any]]:
    specs = load(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def computed(value: Any) -> bool:
    """Does a default depend on other variables, so that the argument specs cannot give it?"""
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_default_is_specified(role: Path) -> None:
    assert defaults(role).keys() - options(role).keys() == set()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_specified_default_is_the_real_one(role: Path) -> None:
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert specified == {name: value for name, value in defaults(role).items() if not computed(value)}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_names_have_the_prefix_of_the_role(role: Path) -> None:
    prefixes = (f"{role.name}_", "mig_")
    assert [name for name in options(role) if not name.startswith(prefixes)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_option_is_described(role: Path) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []
